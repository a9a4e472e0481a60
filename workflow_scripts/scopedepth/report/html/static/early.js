document.documentElement.classList.add("js");
try { const t = localStorage.getItem("scopedepth-theme"); if (t) document.documentElement.dataset.theme = t; } catch (e) { /* files may have no storage */ }
