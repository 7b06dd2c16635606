# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The style sheet of the HTML report. Its hash is in the page's content security policy, so there are no style attributes anywhere."""

from __future__ import annotations

_COLOURS = """
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#171a1f;--soft:#3d4450;--dim:#5d6675;--line:#e3e6eb;--line2:#eef0f3;
--hover:#f4f6f9;
--ok:#12733a;--warning:#a84f04;--critical:#c8291d;--unknown:#6d4fc4;--skipped:#667080;--unreachable:#9d1c4d;
--ok-b:#e7f5ec;--warning-b:#fdf1df;--critical-b:#fdeae8;--unknown-b:#f0ecfb;--skipped-b:#eef0f3;--unreachable-b:#fbe8ef;
--warning-f:#d97706;--link:#1d4fb8;--mark:#fff;--shadow:0 1px 2px rgb(20 25 35/.05),0 2px 8px rgb(20 25 35/.04)}
@media (prefers-color-scheme:dark){:root{--bg:#0f1216;--card:#181c22;--ink:#eceff3;--soft:#c6ccd5;--dim:#98a2b1;--line:#2a3039;
--line2:#22272f;--hover:#1e232a;
--ok:#4cc77d;--warning:#f0a441;--critical:#ff7468;--unknown:#ad97f5;--skipped:#98a2b1;--unreachable:#f57fa8;
--ok-b:#14291d;--warning-b:#2f2312;--critical-b:#351a19;--unknown-b:#241f38;--skipped-b:#22272f;--unreachable-b:#341a26;
--warning-f:#f0a441;--link:#8ab4ff;--mark:#12151a;--shadow:none}}
@media print{:root{color-scheme:light;--bg:#fff;--card:#fff;--ink:#000;--soft:#222;--dim:#444;--line:#ccc;--line2:#ddd;--hover:#fff;
--ok:#12733a;--warning:#a84f04;--critical:#c8291d;--unknown:#6d4fc4;--skipped:#555;--unreachable:#9d1c4d;
--ok-b:#fff;--warning-b:#fff;--critical-b:#fff;--unknown-b:#fff;--skipped-b:#fff;--unreachable-b:#fff;--warning-f:#d97706;--link:#000;
--mark:#fff;--shadow:none}}
"""

_STATUSES = ("ok", "warning", "critical", "unknown", "skipped", "unreachable")

_BASE = """
*{box-sizing:border-box}[hidden]{display:none!important}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth;scroll-padding-top:16px}
body{margin:0;background:var(--bg);color:var(--ink);
font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","PingFang SC","Hiragino Sans GB",
"Microsoft YaHei","Noto Sans CJK SC",sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
main{max-width:1200px;margin:0 auto;padding:40px 28px 24px}
h1{font-size:28px;line-height:1.2;letter-spacing:-.015em;margin:0 0 6px;font-weight:650}
h2{font-size:17px;line-height:1.3;letter-spacing:-.005em;margin:0 0 14px;font-weight:650}
h4{font-size:15px;margin:0;font-weight:600;display:inline-flex;gap:8px;align-items:baseline}
p{margin:0}a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}
:focus-visible{outline:2px solid var(--link);outline-offset:2px;border-radius:4px}
section,.bar-h{margin-top:40px}.dim{color:var(--dim)}
.defs{position:absolute}.i{width:16px;height:16px;flex:none;position:relative;top:.15em}
.sf{fill:currentColor}.sk{fill:none;stroke:var(--mark);stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}
.so,.sp{fill:none;stroke:currentColor;stroke-width:1.8;stroke-linecap:round}
header{display:flex;gap:16px 24px;align-items:flex-start;justify-content:space-between;flex-wrap:wrap}
.verdict{display:inline-flex;gap:9px;font-weight:650;font-size:16px;padding:7px 16px 7px 13px;border-radius:99px}
.verdict .i{top:.27em}
.hero{display:grid;grid-template-columns:auto 1fr 1fr;gap:16px 56px;margin-top:28px;padding:28px 36px;background:var(--card);
border:1px solid var(--line);
border-radius:14px;box-shadow:var(--shadow)}
.hero h2{font-size:13px;color:var(--dim);font-weight:600;margin-bottom:8px}
.ring{width:172px;height:172px;display:block}.ring .track{fill:none;stroke:var(--line2);stroke-width:11}
.ring .arc{fill:none;stroke:currentColor;stroke-width:11}
.ring-n{font-size:31px;font-weight:680;text-anchor:middle;fill:var(--ink);letter-spacing:-.03em}
.ring-t{font-size:8.6px;text-anchor:middle;fill:var(--dim)}
.bar{width:100%;height:10px;border-radius:5px;display:block;margin:4px 0 10px}
.legend{list-style:none;margin:0;padding:0}.legend li{display:flex;gap:9px;padding:3.5px 0;font-size:14px}
.legend b{margin-left:auto;font-weight:600}.zero{color:var(--dim)}.legend .zero{opacity:.62}.legend .zero .i{color:var(--dim)}
.legend .zero b{font-weight:400}
.calm,.empty{margin-top:28px;padding:18px 22px;background:var(--card);border:1px solid var(--line);border-radius:14px;display:flex;
gap:10px}
.fleet .empty{margin:0;border:0;color:var(--dim);justify-content:center;padding:32px}
.first ol{list-style:none;margin:0;padding:0;background:var(--card);border:1px solid var(--line);border-radius:14px;
box-shadow:var(--shadow);overflow:hidden}
.first li{display:flex;gap:12px;padding:13px 22px;border-top:1px solid var(--line2)}.first li:first-child{border-top:0}
.first li>div{flex:1 1 0;min-width:0}.first b{font-weight:600;margin-right:6px}.first .say{display:block;color:var(--soft)}
.first .at{flex:0 1 auto;max-width:38%;font-size:13.5px;color:var(--dim);text-align:right}
.first .x{color:var(--dim);font-size:13.5px;margin-left:8px}
.first>p{margin-top:10px;font-size:13.5px}
.w{font-size:12.5px;font-weight:600;padding:1px 8px;border-radius:99px;white-space:nowrap;display:inline-flex;gap:6px;
vertical-align:baseline}
"""

_FLEET = """
.tools{display:flex;gap:10px 14px;flex-wrap:wrap;align-items:center;margin-bottom:14px}
input[type=search]{flex:1 1 260px;max-width:360px;font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);
border-radius:9px;padding:7px 12px}
input::placeholder{color:var(--dim);opacity:1}
.seg{display:flex;gap:6px;flex-wrap:wrap}button{font:inherit;color:inherit;cursor:pointer}
.seg button,#toggle{display:inline-flex;gap:7px;font-size:14px;line-height:1.45;background:var(--card);border:1px solid var(--line);
border-radius:9px;padding:6px 12px}
.seg button:hover,#toggle:hover{background:var(--hover)}.seg b{font-weight:600;color:var(--dim)}
.seg button[aria-pressed=true]{background:var(--ink);border-color:var(--ink);color:var(--card)}
.seg button[aria-pressed=true] b,.seg button[aria-pressed=true] .i{color:inherit;--mark:var(--ink)}
#shown{color:var(--dim);font-size:13.5px;margin-left:auto}
.panel{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:14px;box-shadow:var(--shadow)}
table{border-collapse:collapse;width:100%}
#fleet th{font-size:13px;font-weight:600;color:var(--dim);text-align:left;padding:0;border-bottom:1px solid var(--line);
white-space:nowrap;vertical-align:bottom}
#fleet th,#fleet td{padding:10px 9px}#fleet th:first-child,#fleet td:first-child{padding-left:22px}
#fleet th:last-child,#fleet td:last-child{padding-right:22px}
#fleet th button{background:none;border:0;padding:0;font-weight:inherit;display:inline-flex;gap:4px;align-items:center}
#fleet th button:hover{color:var(--ink)}
#fleet th button::after{content:"";width:0;height:0;border:4px solid transparent;border-top-color:currentColor;opacity:0;margin-top:4px}
#fleet th button:hover::after{opacity:.4}#fleet th[aria-sort] button{color:var(--ink)}#fleet th[aria-sort] button::after{opacity:1}
#fleet th[aria-sort=ascending] button::after{border-top-color:transparent;border-bottom-color:currentColor;margin:-4px 0 0}
#fleet td{border-top:1px solid var(--line2);vertical-align:middle}#fleet tbody tr:first-child td{border-top:0}
#fleet tbody tr:hover{background:var(--hover)}
#fleet td.h-host{font-weight:600}#fleet .h-host a{color:inherit;display:block;width:max-content;max-width:250px;overflow-wrap:break-word}
#fleet .h-critical,#fleet .h-warning,#fleet .h-unknown,#fleet .h-ok{text-align:right;background:none}
#fleet td.h-critical,#fleet td.h-warning,#fleet td.h-unknown{font-weight:600}
#fleet td.zero{color:var(--dim);font-weight:400;opacity:.7}.h-worst{color:var(--soft);font-size:14px;line-height:1.45}
.h-worst span{display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:2;overflow:hidden}
td.h-worst{min-width:180px}
.score{display:inline-flex;flex-direction:column;gap:3px;width:58px;font-weight:650;line-height:1.2}
.meter{width:100%;height:4px;border-radius:2px;display:block}
.spark{width:96px;height:24px;display:block;color:var(--dim)}.spark polygon{fill:currentColor;opacity:.13}
.spark polyline{fill:none;stroke:currentColor;stroke-width:1.5;stroke-linejoin:round;stroke-linecap:round}.spark circle{fill:var(--ink)}
.b-none{fill:var(--line2)}.b-none~rect{rx:0}
"""

_CARDS = """
.bar-h{display:flex;align-items:center;justify-content:space-between;margin-bottom:14px}.bar-h h2{margin:0}
.card{background:var(--card);border:1px solid var(--line);border-radius:14px;margin-bottom:10px;box-shadow:var(--shadow);
overflow:hidden}
summary{display:flex;gap:6px 18px;align-items:center;padding:12px 22px;cursor:pointer;list-style:none}
summary::-webkit-details-marker{display:none}
summary:hover{background:var(--hover)}summary:focus-visible{outline-offset:-3px;border-radius:14px}
.who{display:flex;gap:11px;font-weight:650;font-size:16px;min-width:0}.who .i{top:.3em}.name{min-width:0}
.chips{display:flex;gap:4px 12px;flex-wrap:wrap;font-size:13.5px;align-items:baseline}.chips .n{background:none}
.chips .t-ok,.chips .t-skipped{color:var(--dim)}.chips .w.t-ok{color:var(--ok)}
.end{margin-left:auto;display:flex;gap:22px;align-items:center;flex:none}
.end::after{content:"";width:7px;height:7px;border:solid var(--dim);border-width:0 1.8px 1.8px 0;transform:rotate(45deg);
margin:-4px 2px 0 0}
[open]>summary .end::after{transform:rotate(225deg);margin-top:4px}
[open]>summary{border-bottom:1px solid var(--line2)}
.body{padding:18px 22px 20px;display:grid;gap:14px}.body>*{min-width:0}
.msg{white-space:pre-wrap;font:13px/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;padding:12px 16px;background:var(--bg);
border-radius:9px}
.cause{padding:10px 16px;border-radius:9px;background:var(--unknown-b)}.cause b{font-weight:650;margin-right:6px}
.find{border-left:3px solid var(--line);padding:1px 0 1px 16px}.fh{display:flex;gap:3px 10px;flex-wrap:wrap;align-items:baseline}
.fh .dim,.age{font-size:13.5px}
.age{margin-left:auto;color:var(--dim)}.sum{margin-top:3px;white-space:pre-line}
.se{width:auto;margin-top:8px;font-size:13.5px}.se th,.se td{text-align:left;padding:3px 28px 3px 0;font-weight:400;vertical-align:top}
.se thead th{color:var(--dim);font-size:12.5px}.se tbody th{color:var(--dim)}
code{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre-wrap}
.tags{margin-top:8px;display:flex;gap:5px 6px;flex-wrap:wrap;font-size:13px}
.tag{background:var(--skipped-b);color:var(--soft);border-radius:6px;padding:1px 8px;font-size:12.5px}
.tag.strong{background:var(--unknown-b);color:var(--unknown);font-weight:600}.note{font-size:13px;padding:1px 4px}
.facts{font-size:13px;color:var(--dim)}.find .facts{margin-top:6px}.m b{font-weight:600;color:var(--soft)}
table.ok{font-size:14px}table.ok th{font-size:12.5px;font-weight:600;color:var(--dim);text-align:left}
table.ok td,table.ok th{padding:6px 14px 6px 0;vertical-align:top}
table.ok td{border-top:1px solid var(--line2)}table.ok th:last-child,table.ok .r{text-align:right;padding-right:0;white-space:nowrap}
table.ok td:first-child{width:38%}table.ok th,table.ok td.dim{white-space:nowrap}
table.ok .i{margin-right:9px;width:14px;height:14px;top:.12em}table.ok b{font-weight:500}
table.ok .w{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
table.ok .facts b{font-weight:600}table.ok .say{display:block;color:var(--dim);font-size:13px;padding-left:23px}
table.ok .tag{margin-left:4px}
table.ok .t-skipped{position:static;clip-path:none;width:auto;height:auto}
footer{max-width:1200px;margin:0 auto;padding:20px 28px 40px;color:var(--dim);font-size:13px;display:flex;justify-content:space-between}
"""

_SMALL = """
@media (max-width:960px){.hero{grid-template-columns:auto 1fr;gap:24px 40px}.hero>div:last-child{grid-column:1/-1}
.h-ok,.h-unknown,.h-trend{display:none}
#fleet .h-host a{max-width:180px}td.h-worst{min-width:140px}}
@media (max-width:720px){main{padding:24px 16px}h1{font-size:24px}section,.bar-h{margin-top:32px}
.hero{padding:20px;gap:20px 24px}.ring{width:132px;height:132px}
.first li{padding:12px 16px;flex-wrap:wrap}.first li>div{flex-basis:70%}.first .at{max-width:none}
.first .at{flex:1 1 100%;text-align:left;padding-left:28px;margin-top:-8px}#shown{margin-left:0}
input[type=search]{max-width:none;flex-basis:100%}
#fleet tr{display:grid;grid-template-columns:minmax(0,1fr) auto 58px;gap:2px 14px;padding:11px 16px;align-items:center}
#fleet thead tr{border-bottom:1px solid var(--line);padding:9px 16px}#fleet tbody tr+tr{border-top:1px solid var(--line2)}
#fleet th,#fleet td,#fleet th:first-child,#fleet td:first-child,#fleet th:last-child,#fleet td:last-child{padding:0;border:0;min-width:0;
max-width:none}
.h-critical,.h-warning,.h-unknown,.h-ok,.h-trend,th.h-worst{display:none}td.h-worst{grid-column:1/-1}
td.h-worst:has(span:empty){display:none}#fleet .w{background:none;padding:0}
.wd{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}

summary{flex-wrap:wrap;padding:12px 16px}.who{flex:1 1 60%}.chips{order:3;flex-basis:100%;padding-left:27px}.end .spark{display:none}
.body{padding:16px}.age{margin-left:0;flex-basis:100%}.find{padding-left:12px}.se{width:100%}.se th,.se td{padding-right:14px}
table.ok,table.ok tbody{display:block}table.ok thead{display:none}
table.ok tr{display:grid;grid-template-columns:minmax(0,1fr) auto;padding:7px 0;border-top:1px solid var(--line2)}
table.ok td{border:0;padding:0}table.ok td:first-child{width:auto}table.ok td.dim{display:none}
table.ok .facts{grid-column:1/-1;grid-row:2;padding-left:23px}
footer{padding:16px}}
@media print{body{font-size:10.5pt}main{max-width:none;padding:0}.tools,#toggle,footer a,.end::after{display:none!important}
.hero,.panel,.card,.first ol{box-shadow:none}.card{break-inside:auto}summary{break-after:avoid}
.find,.first li,#fleet tr,table.ok tr{break-inside:avoid}
.w,.verdict{padding:0;border-radius:0}svg,.i{print-color-adjust:exact;-webkit-print-color-adjust:exact}a{color:inherit}}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
"""


def _by_status() -> str:
    """Colours of signs (c-), parts of bars (b-), words (t-) and edges (e-), for every status."""
    rule = (
        ".c-{0}{{color:var(--{0})}}.b-{0}{{fill:var(--{0})}}.t-{0}{{color:var(--{0});background:var(--{0}-b)}}"
        ".find.e-{0}{{border-left-color:var(--{0})}}\n"
    )
    # The warning colour of text is too dark for an area beside red.
    areas = ".c-warning{color:var(--warning-f)}.b-warning{fill:var(--warning-f)}.find.e-warning{border-left-color:var(--warning-f)}"
    return "\n" + "".join(rule.format(status) for status in _STATUSES) + areas


STYLE = _COLOURS + _by_status() + _BASE + _FLEET + _CARDS + _SMALL
