# Needs: the tables of all stages
# Makes: the study's tables
#        a report to read and to send, a ranking for the terminal
#        a folder for a paper: LaTeX tables, figures, references
#        where a study asks for them, pages of its frames


rule summarise:
    """Put a study's scores into tables: means with intervals, comparisons, ranks, and what a protocol changes."""
    input:
        **inputs_of("summarise"),
    output:
        **outputs_of("summarise"),
    log:
        STAGES["summarise"].log,
    conda:
        "../envs/scopedepth.yaml"
    resources:
        mem_mb=NEEDS.summary_mem_mb,
        runtime=NEEDS.summary_runtime,
    params:
        **params_of("summarise"),
    script:
        "../workflow_scripts/summarise.py"


rule report:
    """Show a study: one page to read, and the tables and figures for a paper."""
    input:
        **inputs_of("report"),
    output:
        # report(...) marks what `snakemake --report` shows.
        html=report(
            STAGES["report"].pattern("html"),
            caption="captions/report.rst",
            category="The study",
            labels={"study": "{study}", "shows": "the whole report"},
        ),
        ranking=report(
            STAGES["report"].pattern("ranking"),
            caption="captions/ranking.rst",
            category="The study",
            labels={"study": "{study}", "shows": "the ranking"},
        ),
        paper=report(
            directory(STAGES["report"].pattern("paper")),
            patterns=["figures/{shown}.png", "tables/{shown}.tex"],
            caption="captions/paper.rst",
            category="For a paper",
            labels={"study": "{study}", "shows": "{shown}"},
        ),
        models=STAGES["report"].pattern("models"),
        metrics=STAGES["report"].pattern("metrics"),
        protocols=STAGES["report"].pattern("protocols"),
        record=STAGES["report"].pattern("record"),
    log:
        STAGES["report"].log,
    conda:
        "../envs/scopedepth.yaml"
    resources:
        mem_mb=NEEDS.summary_mem_mb,
        runtime=NEEDS.summary_runtime,
    params:
        **params_of("report"),
    script:
        "../workflow_scripts/report.py"


rule frame_pages:
    """Show a study's frames: image, reference, what models say of them and where they err, in pages that open anywhere."""
    input:
        **inputs_of("frame_pages"),
    output:
        **outputs_of("frame_pages"),
    log:
        STAGES["frame_pages"].log,
    conda:
        "../envs/scopedepth.yaml"
    resources:
        mem_mb=NEEDS.summary_mem_mb,
        runtime=NEEDS.pages_runtime,
    params:
        **params_of("frame_pages"),
    script:
        "../workflow_scripts/frame_pages.py"
