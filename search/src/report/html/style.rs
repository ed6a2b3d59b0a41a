//! How the page looks: dark on white, wide tables and plots scroll by themselves, the page never does sideways.

pub(super) const STYLE: &str = "\
:root { color-scheme: light; }
body { margin: 0; background: #fff; color: #1c1e21; font: 16px/1.5 'DejaVu Sans', Verdana, sans-serif; }
main { max-width: 64rem; margin: 0 auto; padding: 1rem 1.25rem 4rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 3rem 0 0; padding-top: 1rem; border-top: 2px solid #1c1e21; overflow-wrap: anywhere; }
h3 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p, figcaption { max-width: 48rem; }
.live { padding: .4rem .8rem; background: #eef5fb; border-left: 4px solid #0072b2; }
figure { margin: 2rem 0; }
figcaption { margin-top: .25rem; font-size: .85rem; color: #3c4046; }
.plot { overflow-x: auto; }
.plot svg { display: block; height: auto; max-width: 100%; min-width: 34rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: .8rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .55rem; text-align: left; vertical-align: top; border-bottom: 1px solid #e6e8eb; }
thead th { border-bottom: 2px solid #6b7076; white-space: nowrap; }
tbody th { font-weight: normal; }
.n { text-align: right; white-space: nowrap; }
.front td { background: #eef5fb; }
.wrap { min-width: 4rem; overflow-wrap: break-word; }
details { margin: 2rem 0; }
summary { cursor: pointer; font-weight: bold; }
@media print { details { display: block; } figure, tr { break-inside: avoid; } }
";
