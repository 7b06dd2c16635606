# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words of a report in English and Chinese."""

from __future__ import annotations

import typing as t

LANGUAGES = ("en", "zh")

_WORDS: t.Dict[str, t.Tuple[str, str]] = {
    "title": ("Inspection", "巡检报告"),
    "generated": ("Generated", "生成时间"),
    "fleet": ("Fleet", "总览"),
    "score": ("Score", "评分"),
    "fleet_score": ("Fleet score", "总评分"),
    "host": ("Host", "主机"),
    "hosts": ("Hosts", "主机"),
    "check": ("Check", "检查项"),
    "checks": ("Checks", "检查项"),
    "status": ("Status", "状态"),
    "probe": ("Probe", "探测"),
    "trend": ("Trend", "趋势"),
    "worst": ("Worst finding", "最严重问题"),
    "first": ("What to look at first", "优先处理"),
    "findings": ("Findings", "问题"),
    "ok": ("ok", "正常"),
    "warning": ("warning", "警告"),
    "critical": ("critical", "严重"),
    "unknown": ("unknown", "未知"),
    "skipped": ("skipped", "已跳过"),
    "unreachable": ("unreachable", "不可达"),
    "all": ("All", "全部"),
    "filter": ("Find a host, a check, a message", "按主机、检查项或内容筛选"),
    "filter_status": ("Show by status", "按状态筛选"),
    "shown": ("{shown} of {total} hosts", "显示 {shown} / {total} 台主机"),
    "none_match": ("No host matches.", "没有符合条件的主机。"),
    "open_all": ("Expand all", "全部展开"),
    "close_all": ("Collapse all", "全部收起"),
    "sort": ("sort", "排序"),
    "seen": ("Seen", "实际"),
    "expected": ("Expected", "期望"),
    "value": ("Value", "指标"),
    "since": ("for {span}", "已持续 {span}"),
    "new": ("new", "新出现"),
    "since_at": ("since {time}", "自 {time}"),
    "was": ("was {status}", "之前{status}"),
    "reason": ("Reason", "原因"),
    "root_causes": ("Likely root cause", "可能的根因"),
    "affects": ("affects {names}", "影响 {names}"),
    "caused_by": ("caused by {name}", "由 {name} 引起"),
    "attempts": ("{n} attempts", "尝试 {n} 次"),
    "severity": ("severity {severity}", "级别 {severity}"),
    "info": ("info", "提示"),
    "error": ("error", "错误"),
    "passed": ("Nothing to report", "无异常"),
    "passed_checks": ("Passed", "通过"),
    "labels": ("Labels", "标签"),
    "measured": ("Measured", "指标"),
    "took": ("Took", "耗时"),
    "history": ("Scores of the last {n} runs: {scores}", "最近 {n} 次评分:{scores}"),
    "all_ok": ("Every check on every host is ok.", "所有主机的所有检查项均正常。"),
    "no_hosts": ("No host was inspected.", "没有巡检任何主机。"),
    "no_checks": ("No check ran on this host.", "该主机没有执行任何检查。"),
    "on_hosts": ("on {n} hosts", "涉及 {n} 台主机"),
    "on_host": ("on {name}", "主机 {name}"),
    "more_hosts": ("... and {n} more hosts, {what}", "…… 另有 {n} 台主机,{what}"),
    "more_host": ("... and 1 more host, {what}", "…… 另有 1 台主机,{what}"),
    "and_more": ("and {n} more", "等另外 {n} 台"),
    "more_findings": ("{n} more findings are in the cards below.", "另有 {n} 项问题见下方主机详情。"),
    "all_are": ("all {status}", "均{status}"),
    "n_hosts": ("{n} hosts", "{n} 台主机"),
    "n_hosts_1": ("1 host", "1 台主机"),
    "n_checks": ("{n} checks", "{n} 项检查"),
    "n_checks_1": ("1 check", "1 项检查"),
    "totals_hosts": ("{hosts}: {counts}; fleet score {score}, {status}", "{hosts}:{counts};总评分 {score},{status}"),
    "totals_checks": ("{checks}: {counts}", "{checks}:{counts}"),
    "comma": (", ", "、"),
    "colon": (": ", ":"),
    "units": ("d h min s", "天 小时 分钟 秒"),
    "host_unreachable": ("Host cannot be reached", "主机无法连接"),
    "host_critical": ("Inspection failed", "巡检失败"),
    "host_unknown": ("Nothing was inspected", "未巡检"),
    "not_reached": ("The host could not be reached.", "无法连接该主机。"),
    "failed": ("The inspection of this host failed.", "该主机巡检失败。"),
    "left_out": ("The host was skipped, nothing was inspected.", "该主机被跳过,没有巡检。"),
    "no_result": ("There is no result of this host, the inspection did not run there.", "没有该主机的结果,巡检未执行。"),
    "no_summary": ("no message", "无说明"),
    "coverage": ("{share}% could be seen", "可见 {share}%"),
    "share": ("{status}: {n} of {total}", "{status}:{n} / {total}"),
    "ok_short": ("OK", "正常"),
    "warning_short": ("Warn", "警告"),
    "critical_short": ("Crit", "严重"),
    "unknown_short": ("Unkn", "未知"),
    "skipped_short": ("Skip", "跳过"),
    "to_top": ("Back to the fleet", "返回总览"),
}


class Words:
    """The vocabulary of one language: `words("since", span="3 d")`."""

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else "en"
        self._index = LANGUAGES.index(self.language)

    def __call__(self, key: str, **values: t.Any) -> str:
        text = _WORDS[key][self._index]
        return text.format(**values) if values else text

    def word(self, key: str) -> str:
        """The word for a status or a severity, `key` itself where there is none."""
        return _WORDS[key][self._index] if key in _WORDS else key

    def count(self, key: str, number: int) -> str:
        """`1 host`, `2 hosts`; `key` is n_hosts or n_checks."""
        return self(key + "_1" if number == 1 else key, n=number)

    def label(self, status: str) -> str:
        """The word for a status where it stands alone: `Critical`, `OK`."""
        word = self.word(status)
        return "OK" if word == "ok" else word[:1].upper() + word[1:]

    @property
    def html_lang(self) -> str:
        """The language tag (BCP 47)."""
        return "zh-Hans" if self.language == "zh" else "en"
