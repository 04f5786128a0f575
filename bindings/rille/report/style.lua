--- rille.report.style: what a report's page looks like, beside what all pages share (rille.html). Verdicts have a word and a
-- mark besides their colour; Okabe & Ito's vermilion and green are told apart by the colour-blind.

return [[
:root{--bad:#b34700;--good:#00724f;--band:#0072b233;--bars:#3b7fb5}
@media(prefers-color-scheme:dark){
:root:not([data-theme=light]){--bad:#ff9a52;--good:#3fcf9f;--band:#56b4e940;--bars:#56b4e9}}
:root[data-theme=dark]{--bad:#ff9a52;--good:#3fcf9f;--band:#56b4e940;--bars:#56b4e9}
header{display:flex;gap:1rem;align-items:flex-start;justify-content:space-between}
header h1{margin:.2rem 0;overflow-wrap:anywhere}
button,select{font:inherit;color:inherit;background:var(--paper);border:1px solid var(--line);border-radius:.4rem;
padding:.2rem .6rem;cursor:pointer;max-width:100%}
button:focus-visible,select:focus-visible,canvas:focus-visible{outline:2px solid var(--link);outline-offset:1px}
#theme{white-space:nowrap}nav{font-size:.9rem;display:flex;flex-wrap:wrap;gap:.2rem 1rem}
.bad{color:var(--bad);font-weight:600}.good{color:var(--good);font-weight:600}
.verdicts{list-style:none;padding:0;margin:.5rem 0}.verdicts li{margin:.25rem 0;padding-left:1.4rem;text-indent:-1.4rem;
overflow-wrap:anywhere}.notes{white-space:pre-wrap;overflow-wrap:anywhere}
.sortable td,.sortable th{text-align:right;white-space:nowrap}.sortable .word{text-align:left}
.sortable th button{border:0;background:none;padding:0;font-weight:600;text-align:inherit}
.sortable th button::after{content:"";display:inline-block;width:.9em;text-align:right}
.sortable th[aria-sort=ascending] button::after{content:"\2191"}
.sortable th[aria-sort=descending] button::after{content:"\2193"}
.sortable td:first-child,.sortable th:first-child{position:sticky;left:0;background:var(--card);z-index:1}
.chart{margin:.3rem 0 1.2rem;min-width:0}h3{font-size:1rem;margin:.8rem 0 .2rem;font-weight:600}
svg{display:block;width:100%;height:auto}.chart svg{max-width:46rem}svg text{font:12px system-ui,sans-serif;fill:var(--soft)}
.grid{stroke:var(--line)}.line{fill:none;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}
.band{fill:var(--band)}.alone{stroke:var(--band);stroke-width:14}.expected{fill:none;stroke:var(--link);stroke-width:1.6;
stroke-dasharray:6 4}.dot{fill:var(--ink)}.bars{fill:var(--bars)}.zero{stroke:var(--ink);stroke-dasharray:3 3;opacity:.6}
.many{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:1rem}
.many figure{margin:0}.many figcaption{font-size:.85rem;overflow-wrap:anywhere}
#map canvas{display:block;width:100%;touch-action:pan-y;cursor:crosshair}#map .read{min-height:1.5em}
.uplot{font-family:inherit;max-width:100%}.uplot .u-legend{text-align:left;font-size:.85rem;max-height:9rem;overflow-y:auto;
margin:0}.uplot .u-legend th,.uplot .u-legend td{border:0}
.uplot .u-legend .u-value{display:inline-block;min-width:4.5em}.u-cursor-x,.u-cursor-y{border-color:var(--soft)!important}
@media(max-width:40rem){body{padding:.6rem}section{padding:.7rem;margin:1rem 0}}
@media print{#theme,nav{display:none}section{break-inside:avoid}}]]
