//! How the page looks: one column on a telephone, and no scrolling sideways but within a table.

/// The style sheet of the page.
pub(super) const STYLE: &str = "\
*{box-sizing:border-box}\
body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:0 auto;padding:1rem;\
color:#1b1f24;background:#fff;overflow-wrap:break-word}\
h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.1rem;margin:1.75rem 0 .5rem}\
p{margin:.4rem 0}ul{padding-left:1.2rem}\
.lead{font-size:1.1rem}.note{color:#57606a;font-size:.9rem}\
.bad{color:#a40e26}.good{color:#116329}\
.scroll{overflow-x:auto}\
table{border-collapse:collapse;margin:.5rem 0;font-variant-numeric:tabular-nums}\
th,td{text-align:left;vertical-align:top;padding:.25rem .9rem .25rem 0;\
border-bottom:1px solid #d0d7de}\
th{font-weight:600}.note{font-weight:400}.n{text-align:right}td.n{white-space:nowrap}tr.why td{border-top:0;padding-top:0}\
\
figure{margin:.5rem 0}figcaption{color:#57606a;font-size:.9rem}\
svg{width:100%;height:auto;display:block}.narrow{display:none}\
svg text{font:12px system-ui,sans-serif;fill:#57606a}svg .label{fill:#1b1f24}\
.grid{stroke:#e4e8ec;fill:none}.axis{stroke:#57606a;fill:none}\
.level{stroke:#a40e26;fill:none;stroke-dasharray:6 4}\
.line{fill:none;stroke-width:2;stroke-linejoin:round}\
@media(max-width:600px){.wide{display:none}.narrow{display:block}\
table{font-size:.9rem}th,td{padding-right:.5rem}}\
@media print{body{max-width:none}}";
