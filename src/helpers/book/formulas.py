"""Formulas as MathML, made when the book is built: every browser draws them, without a script and in print as well."""

from __future__ import annotations

import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

LETTERS = re.compile(r'<mrow>((?:<mi mathvariant="normal">\w</mi>){2,})</mrow>')
FUNCTION = re.compile(r"(<mi>(?:log|ln|exp|sin|cos|tan|arg|det|dim)</mi>)(?!<mo stretchy|</|<mspace)")
BRACKET = re.compile(r"<mi>(&#x027E[89];)</mi>")


def mathml(latex: str, *, block: bool = False) -> str:
    """A formula's markup. Raises ValueError for what is not understood, instead of showing it half."""
    try:
        markup = convert(latex, display="block" if block else "inline")
    except Exception as error:
        raise ValueError(f"the formula {latex!r} is not understood: {type(error).__name__} {error}") from error
    if unknown := re.search(r">\s*(\\[A-Za-z]*|&)\s*<", markup):
        raise ValueError(f"the formula {latex!r} holds {unknown[1]}, which is not understood")
    markup = LETTERS.sub(lambda m: f"<mi>{re.sub('<[^>]+>', '', m[1])}</mi>", markup)
    return BRACKET.sub(r'<mo stretchy="false">\1</mo>', FUNCTION.sub(r'\1<mspace width="0.167em" />', markup))


def inline(writer, node: nodes.math) -> None:
    """Write a formula within a sentence."""
    writer.body.append(f'<span class="math notranslate nohighlight">{_markup(node)}</span>')
    raise nodes.SkipNode


def displayed(writer, node: nodes.math_block) -> None:
    """Write a formula of its own, with its number where it has one."""
    number = get_node_equation_number(writer, node) if node["number"] else ""
    writer.body.append(writer.starttag(node, "div", CLASS="math notranslate nohighlight"))
    if number:
        writer.body.append(f'<span class="eqno">({number})')
        writer.add_permalink_ref(node, "Link to this equation")
        writer.body.append("</span>")
    writer.body.append(f"{_markup(node, block=True)}</div>\n")
    raise nodes.SkipNode


def setup(app) -> None:
    app.add_html_math_renderer("mathml", (inline, None), (displayed, None))


def _markup(node, *, block: bool = False) -> str:
    """A node's markup; its source as a warning, which fails the build, where there is none."""
    try:
        return mathml(node.astext(), block=block)
    except ValueError as error:
        logging.getLogger(__name__).warning(str(error), location=node)
        return nodes.Text(node.astext()).astext()
