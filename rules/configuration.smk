# What is read before the configuration: the library, and the configuration's files once more, strictly.

import sys
from pathlib import Path

# Beside the rules, whoever includes them: a clone needs no installation.
WORKFLOW = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parent
SCRIPTS = WORKFLOW / "workflow_scripts"
if not SCRIPTS.is_dir():
    sys.exit(
        f"scopedepth: error: {WORKFLOW} is no folder on this machine. Clone the workflow, and name its Snakefile."
    )
if set("{}") & set(str(WORKFLOW)):
    sys.exit(
        f"scopedepth: error: {WORKFLOW}: Snakemake takes braces in a path for wildcards. Move the folder."
    )
if workflow.modifier.path_modifier.prefix or workflow.modifier.path_modifier.modifies_prefixes:
    sys.exit(
        "scopedepth: error: a module's prefix is not supported: results have their place in the folder of the run."
    )
sys.path.insert(0, str(SCRIPTS))

from scopedepth.config.files import default_files, read_config
from scopedepth.errors import ScopeDepthError
from scopedepth.job.plain_output import print_on_any_terminal

print_on_any_terminal()

# Snakemake takes the last of two keys alike without a word, and reads templates. A module's configuration comes
# from whoever uses it.
if not workflow.modifier.skip_configfile:
    try:
        for path in [path for path in default_files() if path.exists()] + workflow.overwrite_configfiles:
            read_config(path)
    except ScopeDepthError as error:
        sys.exit(f"scopedepth: error: {error}")
