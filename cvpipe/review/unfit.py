"""Why a value that a request sent cannot be used, in Chinese: which value, and what is wrong with it.

Pages send what can be used; who meets this has an old page, or a script of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: What each value of a request is, by the name that scripts send it under.
FIELDS: Final[Mapping[str, str]] = {
    "adopted": "采纳",
    "assessment": "评估编号",
    "assessment_key": "评估标识",
    "batch": "批次",
    "becomes": "变更后的状态",
    "campaign": "专项行动",
    "changes": "图斑",
    "code": "点位编号",
    "form_token": "表单令牌",
    "geometry": "图形",
    "id": "编号",
    "inspected_on": "核查日期",
    "key": "核查项",
    "kind": "类型",
    "line": "分割线",
    "made": "影像版本",
    "name": "用户名",
    "note": "备注",
    "outcome": "判定",
    "owner_system": "权属系统",
    "password": "密码",
    "photo": "照片",
    "polygon": "多边形",
    "question": "判定事项",
    "reason": "理由",
    "recheck_on": "复查日期",
    "result": "核查结果",
    "scene": "影像",
    "seconds": "用时",
    "sheet": "核查清单",
    "showing": "当前核查项",
    "site_code": "点位编号",
    "state": "状态",
    "sub_district": "街道",
    "to": "返回地址",
    "verdict": "结论",
    "wanted": "筛选条件",
    "what": "图像类型",
    "why": "原因",
    "x": "瓦片列号",
    "y": "瓦片行号",
    "z": "瓦片级别",
}

#: What is wrong, by the beginning of the name that pydantic gives it (https://docs.pydantic.dev/latest/errors).
_WRONG: Final[tuple[tuple[str, str], ...]] = (
    ("missing", "缺少"),
    ("extra_forbidden", "不应填写"),
    ("json_", "无法解析"),
    ("string_too_short", "不能为空"),
    ("string_too_long", "超过 {max_length} 个字符"),
    ("string_", "应为文字"),
    ("too_long", "超过 {max_length} 项"),
    ("enum", "不在可选范围内"),
    ("literal_error", "不在可选范围内"),
    ("greater_than_equal", "不应小于 {ge}"),
    ("less_than_equal", "不应大于 {le}"),
    ("finite_number", "应为有限的数字"),
    ("int_", "应为整数"),
    ("float_", "应为数字"),
    ("date_", "应为日期，如 2017-06-30"),
    ("list_", "应为列表"),
    ("dict_", "格式不正确"),
    ("model_", "格式不正确"),
    ("value_error", "格式不正确"),
)


def in_chinese(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors as a sentence: `loc`, `type` and `ctx` are read."""
    named = [FIELDS[part] for part in error["loc"] if part in FIELDS]
    place = "的".join(named) or "请求"
    wrong = next((said for kind, said in _WRONG if str(error["type"]).startswith(kind)), "格式不正确")
    return f"提交的内容无效：{place}{wrong.format(**error.get('ctx', {}))}。"


__all__ = ["FIELDS", "in_chinese"]
