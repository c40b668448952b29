"""Which mail program carries out which feature of HTML and CSS: facts, with their date and source.

A verdict for each of `CLIENTS`, the worst of that program's editions: ``y`` yes, ``a`` in part, ``n`` no, ``u`` not known.
Source: the Can I email project (caniemail.com, MIT licence), read in June 2026; a test compares every fact with it where
its data is at hand. The dates are those of its tests. Many are years old: a floor, not the truth.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

CLIENTS = (
    "Gmail",
    "Outlook on Windows",
    "the new Outlook",
    "Apple Mail",
    "Yahoo Mail",
    "Samsung Email",
    "Thunderbird",
)


class Where(StrEnum):
    """What a feature's pattern is looked for in."""

    DECLARATION = "declaration"  #: "name:value"
    SELECTOR = "selector"
    AT_RULE = "at-rule"
    TAG = "tag"
    ATTRIBUTE = "attribute"  #: "tag name=value"
    IMAGE = "image"  #: a picture's kind, or the beginning of its address


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature and what is known of it."""

    slug: str  #: as the source has it
    verdicts: str  #: one letter for each of `CLIENTS`
    tested: str  #: year and month
    where: Where
    pattern: re.Pattern[str]
    name: str  #: as a template has it
    without: str  #: what a reader gets where it is not carried out
    harmless: bool = False  #: the letter is as good without it

    def lacking(self) -> list[str]:
        """The programs that do not carry it out."""
        return [client for client, verdict in zip(CLIENTS, self.verdicts, strict=True) if verdict == "n"]


def _features(where: Where, *rows: str) -> list[Feature]:
    found = []
    for row in rows:
        slug, verdicts, tested, pattern, name, without = (cell.strip() for cell in row.split(" | "))
        harmless = without.startswith("+ ")
        compiled = re.compile(pattern, re.IGNORECASE)
        found.append(Feature(slug, verdicts, tested, where, compiled, name, without.removeprefix("+ "), harmless))
    return found


# source's name | verdicts | tested | pattern | name | what is lost ("+": nothing that matters)
FEATURES: tuple[Feature, ...] = (
    *_features(
        Where.DECLARATION,
        "css-animation | nnnynyn | 2026-04 | animation(-name)?: | animation | nothing moves",
        "css-aspect-ratio | nnnynnn | 2023-12 | aspect-ratio: | aspect-ratio | a box has another height",
        "css-background | yayyayy | 2023-07 | background(-image)?:.{0,200}url\\( | a picture behind text | the picture is not there",
        "css-background-size | anyyyyy | 2019-02 | background-size: | background-size | the picture behind has its own size",
        "css-border-radius | ynyyayy | 2021-03 | border-radius: | border-radius | + corners are square",
        "css-box-shadow | nnyynyy | 2023-12 | box-shadow: | box-shadow | + there is no shadow",
        "css-clip-path | nnnynyy | 2021-03 | clip-path: | clip-path | nothing is cut to shape",
        "css-color-scheme | nnnynyy | 2023-09 | color-scheme: | color-scheme | + the program decides about dark colours itself",
        "css-display-flex | anyyyyy | 2021-11 | display:(inline-)?flex | display: flex | what stands side by side falls apart",
        "css-display-grid | anyyyyy | 2019-02 | display:(inline-)?grid | display: grid | what stands side by side falls apart",
        "css-display-none | yayyyyy | 2019-02 | display:none | display: none | + mso-hide does it there",
        "css-filter | nnnynyy | 2024-01 | filter: | filter | pictures look as they are",
        "css-float | anyyayy | 2024-05 | float: | float | text does not flow around it",
        "css-function-clamp | annynay | 2021-05 | .*[:( ]clamp\\( | clamp() | the whole line has no effect",
        "css-function-light-dark | nnnynay | 2024-08 | .*[: ]light-dark\\( | light-dark() | the colour is not there at all",
        "css-function-max | annynay | 2021-05 | .*[:( ]max\\( | max() | the whole line has no effect",
        "css-function-min | annynay | 2021-05 | .*[:( ]min\\( | min() | the whole line has no effect",
        "css-gap | anaynyy | 2022-12 | (column-|row-)?gap: | gap | things touch each other",
        "css-left-right-top-bottom | nnyynay | 2021-05 | (left|right|top|bottom): | left, right, top, bottom | it stays where it was",
        "css-letter-spacing | yayyyyy | 2020-01 | letter-spacing: | letter-spacing | + letters stand as usual",
        "css-list-style-image | nnnynyy | 2020-04 | list-style-image: | list-style-image | + lists have plain dots",
        "css-margin-inline-start-end | nnnynyu | 2022-07 | margin-inline-(start|end): | margin-inline-start | the indent is not there",
        "css-max-height | ynyyyyy | 2021-11 | max-height: | max-height | + a box takes its own height",
        "css-max-width | yayyyyy | 2019-08 | max-width: | max-width | + the tables written for Outlook alone hold the width",
        "css-min-height | ynyyyyy | 2021-11 | min-height: | min-height | + a box takes its own height",
        "css-min-width | ynyyyyy | 2021-11 | min-width: | min-width | + a box takes its own width",
        "css-mix-blend-mode | anyynyy | 2020-12 | mix-blend-mode: | mix-blend-mode | one picture covers the other",
        "css-modern-color | nnnynnn | 2023-01 | .*[: ](ok)?l(ch|ab)\\( | lch() and the like | the colour is not there at all",
        "css-object-fit | anyynyy | 2021-07 | object-fit: | object-fit | pictures are squeezed",
        "css-opacity | ynyyyyy | 2019-02 | opacity: | opacity | what was to be faint is strong",
        "css-overflow | anaaaay | 2025-05 | overflow(-[xy])?: | overflow | + what is too long goes on",
        "css-padding-inline-start-end | nnnynyu | 2022-07 | padding-inline-(start|end): | padding-inline-start | the indent is not there",
        "css-position | nnaaaay | 2021-05 | position: | position | it stays where it was",
        "css-rgba | anyyayy | 2021-05 | .*[: ]rgba\\( | rgba() | the colour is not there at all",
        "css-text-shadow | nnnyyyy | 2019-02 | text-shadow: | text-shadow | + there is no shadow",
        "css-text-transform | yayyyyy | 2021-09 | text-transform: | text-transform | + letters stand as typed",
        "css-transform | nnnynyy | 2019-02 | transform: | transform | it is neither turned nor moved",
        "css-transition | nnnyaay | 2024-03 | transition: | transition | + it changes at once",
        "css-unit-calc | annynyy | 2020-02 | .*[:( ]calc\\( | calc() | the whole line has no effect",
        "css-unit-rem | ynyynyy | 2020-02 | .*[: (-][0-9.]+rem | the unit rem | the size is not what it was to be",
        "css-unit-vh | ynyayyy | 2023-10 | .*[: (-][0-9.]+vh | the unit vh | the size is not what it was to be",
        "css-unit-vw | ynyyyyy | 2020-02 | .*[: (-][0-9.]+vw | the unit vw | the size is not what it was to be",
        "css-variables | nnnynyy | 2020-02 | --[a-z]|.*[:( ]var\\( | var() | the whole line has no effect",
        "css-visibility | nnyyyyy | 2019-02 | visibility: | visibility | what was to be hidden shows",
        "css-white-space | anyyany | 2019-02 | white-space: | white-space | + lines break otherwise",
        "css-word-break | ayaanay | 2022-02 | word-break: | word-break | + very long words go on",
        "css-writing-mode | anyynyy | 2022-05 | writing-mode: | writing-mode | lines run from left to right",
        "css-z-index | nnyyyyy | 2021-05 | z-index: | z-index | things lie over each other otherwise",
    ),
    *_features(
        Where.SELECTOR,
        "css-pseudo-class-hover | nnayyyy | 2019-10 | .*:hover | :hover | + nothing changes under the pointer",
        "css-pseudo-class-last-child | nnayyyy | 2019-10 | .*:last-child | :last-child | the rule is passed over",
        "css-pseudo-element-after | nnaynyy | 2020-05 | .*::?after | ::after | what it adds is not there",
        "css-pseudo-element-before | nnaynyy | 2020-05 | .*::?before | ::before | what it adds is not there",
        "css-selector-attribute | anayayy | 2020-12 | .*\\[ | a selector in square brackets | + the rule is passed over",
    ),
    *_features(
        Where.AT_RULE,
        "css-at-font-face | nanynyy | 2023-12 | @font-face | a font from the web | + the next font in the list is taken",
        "css-at-import | nynynnn | 2019-02 | @import | @import | the imported rules are not there",
        "css-at-keyframes | nnnynyy | 2021-05 | @(-webkit-)?keyframes | @keyframes | nothing moves",
        "css-at-media | anayaan | 2023-12 | @media | @media | + the letter looks as on a wide, light screen",
        "css-at-media-prefers-color-scheme | nnyynyn | 2023-03 | @media.*prefers-color-scheme | dark colours of its own"
        " | + the program turns the colours round itself, or leaves them",
        "css-at-supports | nnnyyyn | 2020-05 | @supports | @supports | the rules in it are passed over",
    ),
    *_features(
        Where.TAG,
        "html-audio | nnnynyy | 2020-04 | audio$ | <audio> | there is nothing to hear",
        "html-bdi | nnnynyy | 2019-02 | bdi$ | <bdi> | + a name from right to left may move the comma behind it",
        "html-dialog | nnnynyy | 2019-02 | dialog$ | <dialog> | it shows at once, or never",
        "html-marquee | nnayayy | 2020-04 | marquee$ | <marquee> | nothing moves",
        "html-meter | nnyynyy | 2019-02 | meter$ | <meter> | the bar is not there",
        "html-object | nnnanaa | 2021-02 | object$ | <object> | it is not there",
        "html-picture | nnnanyy | 2024-04 | picture$ | <picture> | + the plain img in it is shown",
        "html-progress | nnnynyy | 2019-02 | progress$ | <progress> | the bar is not there",
        "html-ruby | nnyyyyy | 2019-02 | ruby$ | <ruby> | + readings stand behind the characters",
        "html-semantics | anaynyy | 2019-07 | (article|aside|details|figcaption|figure|footer|header|main|mark|nav|section|summary|time)$"
        " | tags such as <section> | + they are plain boxes",
        "html-svg | nnnanyy | 2020-02 | svg$ | <svg> | the drawing is not there",
        "html-video | nnnanay | 2019-09 | video$ | <video> | there is nothing to see",
    ),
    *_features(
        Where.ATTRIBUTE,
        "html-anchor-links | nyyynny | 2019-08 | a href=# | a link within the letter | it leads nowhere",
        "html-aria-label | yyyynyn | 2019-02 | \\w+ aria-label= | aria-label | + the words in it are read instead",
        "html-background | aayyyyy | 2019-02 | \\w+ background= | the attribute background | the picture is not there",
        "html-loading-attribute | nnnynyy | 2021-10 | img loading= | loading | + pictures load at once",
        "html-meta-color-scheme | nnnnnny | 2023-09 | meta name=color-scheme | color-scheme"
        " | + the program decides about dark colours itself",
        "html-srcset | nnnynyy | 2019-05 | (img|source) (srcset|sizes)= | srcset | + the picture in src is shown",
    ),
    *_features(
        Where.IMAGE,
        "image-avif | anyyyyy | 2023-01 | avif$ | an AVIF picture | the picture is not there",
        "image-base64 | nayyyyy | 2020-02 | data: | a picture written into the page | the picture is not there",
        "image-bmp | ayyyyyy | 2020-02 | bmp$ | a BMP picture | the picture is not there",
        "image-heif | annynnn | 2020-02 | hei[cf]$ | a HEIC picture | the picture is not there",
        "image-svg | nyyyyyy | 2023-01 | svg(\\+xml)?$ | an SVG picture | the picture is not there",
        "image-tiff | annynnn | 2020-02 | tiff?$ | a TIFF picture | the picture is not there",
        "image-webp | anyyyyy | 2021-02 | webp$ | a WebP picture | the picture is not there",
    ),
)
