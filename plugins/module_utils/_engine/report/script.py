# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The script of the HTML report: sort, filter, expand. Everything can be read without it.

Its hash is in the page's content security policy.
"""

from __future__ import annotations

SCRIPT = r"""
(function () {
"use strict";
var all = function (selector, from) { return Array.prototype.slice.call((from || document).querySelectorAll(selector)); };
var one = function (id) { return document.getElementById(id); };
var table = one("fleet");
if (!table) { return; }
var body = table.tBodies[0], rows = all("tr", body), cards = all("#cards > details"), texts = [];
var chosen = {}, query = "", toggle = one("toggle"), shown = one("shown");

function textOf(index) {
  if (texts[index] === undefined) {
    texts[index] = (rows[index].textContent + " " + cards[index].textContent).toLowerCase();
  }
  return texts[index];
}
function filter() {
  var terms = query.toLowerCase().split(/\s+/).filter(Boolean), any = Object.keys(chosen).length, count = 0;
  rows.forEach(function (row, index) {
    var fits = (!any || chosen[row.dataset.s]) && terms.every(function (term) { return textOf(index).indexOf(term) >= 0; });
    row.hidden = cards[index].hidden = !fits;
    count += fits ? 1 : 0;
  });
  one("none").hidden = count > 0;
  shown.textContent = count === rows.length ? "" : shown.dataset.t.replace("{shown}", count).replace("{total}", rows.length);
}
function press() {
  var any = Object.keys(chosen).length;
  all("[data-f]").forEach(function (button) {
    button.setAttribute("aria-pressed", String(button.dataset.f ? Boolean(chosen[button.dataset.f]) : !any));
  });
}
all("[data-f]").forEach(function (button) {
  button.addEventListener("click", function () {
    var name = button.dataset.f;
    if (!name) { chosen = {}; } else if (chosen[name]) { delete chosen[name]; } else { chosen[name] = true; }
    press();
    filter();
  });
});
one("q").addEventListener("input", function (event) { query = event.target.value; filter(); });
one("tools").hidden = false;

function sort(head, order) {
  var column = head.cellIndex, sign = order === "ascending" ? 1 : -1, byText = head.dataset.k === "s";
  var names = new Intl.Collator(undefined, {numeric: true, sensitivity: "base"});
  var keys = rows.map(function (row, index) {
    var cell = row.cells[column];
    return {row: row, index: index, value: byText ? cell.textContent : Number(cell.dataset.v)};
  });
  keys.sort(function (a, b) {
    return sign * (byText ? names.compare(a.value, b.value) : a.value - b.value) || a.index - b.index;
  });
  keys.forEach(function (key) { body.appendChild(key.row); });
  all("th[aria-sort]", table).forEach(function (other) { other.removeAttribute("aria-sort"); });
  head.setAttribute("aria-sort", order);
}
all("th[data-k]", table).forEach(function (head) {
  var button = document.createElement("button");
  button.type = "button";
  button.textContent = head.textContent;
  head.textContent = "";
  head.appendChild(button);
  button.addEventListener("click", function () {
    var first = head.dataset.d === "asc" ? "ascending" : "descending", now = head.getAttribute("aria-sort");
    sort(head, now === first ? (first === "ascending" ? "descending" : "ascending") : first);
  });
});

toggle.hidden = false;
toggle.addEventListener("click", function () {
  var opening = toggle.dataset.open !== "yes";
  cards.forEach(function (card) { card.open = opening; });
  toggle.dataset.open = opening ? "yes" : "no";
  toggle.textContent = opening ? toggle.dataset.b : toggle.dataset.a;
});
function follow() {
  var target = location.hash.length > 1 && one(location.hash.slice(1));
  if (target && target.parentNode.open === false) {
    target.parentNode.open = true;
    target.scrollIntoView();
  }
}
window.addEventListener("hashchange", follow);
follow();

var opened = [];
window.addEventListener("beforeprint", function () {
  opened = cards.filter(function (card) { return !card.open && card.dataset.s !== "ok"; });
  opened.forEach(function (card) { card.open = true; });
});
window.addEventListener("afterprint", function () { opened.forEach(function (card) { card.open = false; }); });
}());
"""
