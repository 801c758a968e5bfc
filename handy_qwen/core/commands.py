"""Spoken commands: "new line", "new paragraph", "scratch that", "press enter", in eight languages.

A command is recognized by its position, not by its words alone: each side must be the edge of the text, a
pause (whatever punctuation the model wrote for it) or another command. A line break may also be spoken
without pauses ("milk new line eggs"), unless the neighboring words make it part of a sentence: "a bold new
line of shoes". A command that deletes or presses a key needs a pause on both sides; only in a text without
any punctuation may words precede it. Scripts without spaces always need the pause. "Press enter", which may
send a message, must come last and be a sentence of its own: "to send it, press enter" is not a command.

"Scratch that" deletes the last sentence spoken; repeated at once, everything spoken; and when nothing is
left, what earlier takes inserted (see ``Obeyed``).
"""

# ruff: noqa: RUF001  the punctuation of many scripts is the subject

from __future__ import annotations

import enum
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property

from handy_qwen.core.orthography import (
    ABBREVIATION,
    CLOSES,
    COMMAS,
    ENDS,
    NARROW,
    QUOTES,
    STOPS,
    ends_sentence,
    gap,
    large,
)
from handy_qwen.languages import is_of_word, is_unspaced


class Command(enum.StrEnum):
    """Commands that can be spoken; the values are names of settings."""

    NEW_LINE = "say_new_line"
    NEW_PARAGRAPH = "say_new_paragraph"
    SCRATCH_THAT = "say_scratch_that"
    PRESS_ENTER = "say_press_enter"


WRITTEN = {Command.NEW_LINE: "\n", Command.NEW_PARAGRAPH: "\n\n"}
"""What the other commands write."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A command at ``text[start:end]``."""

    start: int
    end: int
    command: Command


@dataclass(frozen=True, slots=True)
class Obeyed:
    """What is left of a transcript, and the actions it requests.

    Attributes:
        text: Without "scratch that", what it deleted, and "press enter". Line breaks are still words.
        scratches: How many more times to delete than there was text for.
        is_again: "Scratch that" was said just before the first of them.
        presses_enter: Press Enter after the text.
    """

    text: str = field(repr=False)
    scratches: int = 0
    is_again: bool = False
    presses_enter: bool = False


def obey(text: str, language: str, wanted: Collection[Command]) -> Obeyed:
    """Carry out "scratch that" in ``text``, as the model wrote it, and find "press enter" at its end.

    Args:
        text: In NFC.
        language: English name.
        wanted: The enabled commands.
    """
    found = commands_in(text, language, wanted)
    presses_enter = bool(found) and found[-1].command is Command.PRESS_ENTER
    if presses_enter:
        text = text[: found.pop().start].rstrip(_BLANKS + COMMAS)
    kept, at, scratches, is_first_again, is_again = "", 0, 0, False, False
    for one in (one for one in found if one.command is Command.SCRATCH_THAT):
        said = text[at : one.start]
        is_again = is_again and not any(map(is_of_word, said))
        kept = _followed_by(kept, said, language) if at else said
        if not any(map(is_of_word, kept)):
            is_first_again = is_first_again if scratches else is_again
            kept, scratches = "", scratches + 1
        elif is_again:
            kept = ""
        else:
            breaks = commands_in(kept, language, WRITTEN.keys() & set(wanted))
            kept = kept[: last_sentence(kept, [(each.start, each.end) for each in breaks])]
        is_again, at = True, _after_pause(text, one.end)
    left = _followed_by(kept, text[at:], language) if at else text
    return Obeyed(left, scratches, is_first_again, presses_enter)


def last_sentence(text: str, breaks: Collection[tuple[int, int]] = ()) -> int:
    """Where the last sentence of ``text`` begins, including the spaces before it; a line break counts as one.

    Args:
        text: What was said or written.
        breaks: Start and end of the words that ask for a line break.
    """
    spans = [*breaks, *(match.span() for match in _LINE_BREAKS.finditer(text))]
    end = len(text.rstrip(_BLANKS + STOPS + QUOTES + CLOSES))
    begin = 0
    for start, stop in sorted(spans):
        if start >= end or stop >= end:  # nothing follows
            return len(text[:start].rstrip(_BLANKS)) if text[:start].strip() else 0
        begin = _after_pause(text, stop)
    for match in _SENTENCE_END.finditer(text, begin, end):
        if not ABBREVIATION.search(text[max(0, match.start() - 20) : match.start() + 1]):
            begin = match.end()
    kept = text[:begin].rstrip(_BLANKS)
    return len(kept) if kept else 0


def commands_in(text: str, language: str, wanted: Collection[Command]) -> list[Spoken]:
    """The ``wanted`` commands in ``text``, in order."""
    words = _LANGUAGES.get(written_as(language))
    if words is None or not wanted:
        return []
    found: list[Spoken] = []
    matches = list(words.pattern.finditer(text))
    is_plain = not _PAUSE.search(text)  # the model wrote no punctuation at all
    for number, match in enumerate(matches):
        command = Command(match.lastgroup or "")
        if command not in wanted:
            continue
        follows = number + 1 < len(matches) and not text[match.end() : matches[number + 1].start()].strip()
        precedes = bool(found) and not text[found[-1].end : match.start()].strip()
        left = _Side.PAUSE if precedes else _left_of(text, match.start(), words)
        right = _Side.PAUSE if follows else _right_of(text, match.end(), words)
        if _is_meant(command, left, right, is_plain=is_plain, is_spaced=not is_unspaced(match[0][0])):
            is_next = bool(found) and not any(map(is_of_word, text[found[-1].end : match.start()]))
            found += _placed(text, match, command, words, is_next=is_next)
    return found


def _placed(
    text: str, match: re.Match[str], command: Command, words: _Words, *, is_next: bool
) -> list[Spoken]:
    """The command, with the dashes that are its pauses; None if it is part of a sentence.

    ``is_next``: nothing was said since the previous command.
    """
    start, end = match.span()
    if command in WRITTEN:
        before, after = _DASH_BEFORE.search(text[:start]), _DASH_AFTER.match(text, end)
        return [Spoken(before.start() if before else start, after.end() if after else end, command)]
    if command is Command.PRESS_ENTER:
        is_clause = text[:start].rstrip(_BLANKS)[-1:] in {*STOPS, *_DASHES} - {*ENDS} and not is_next
        is_last = not any(map(is_of_word, text[end:]))
        return [Spoken(start, end, command)] if is_last and not is_clause else []
    clause = _CLAUSE.match(text, end)  # "delete that, which ..."
    is_clause = clause is not None and clause[1].casefold() in words.after
    return [] if is_clause else [Spoken(start, end, command)]


def stands_apart(text: str, start: int, end: int) -> bool:
    """Whether ``text[start:end]`` has the edge of the text or a pause on both sides."""
    sides = _left_of(text, start, _NO_WORDS), _right_of(text, end, _NO_WORDS)
    return all(side in {_Side.PAUSE, _Side.QUESTION} for side in sides)


# ---- the place of a command -----------------------------------------------------------------------------

_BLANKS = " \t\u00a0\u3000" + NARROW
_DASHES = "–—―"
_SEEN = 80  # characters on either side that are examined
_PAUSE = re.compile(
    rf"[{re.escape(STOPS)}](?=\s|\Z|[{re.escape(QUOTES + CLOSES)}])|[、。，！？；：．｡､]|[{_DASHES}]"
)
_PAUSES = re.compile(rf"[{_BLANKS}{re.escape(STOPS)}{_DASHES}]*")
_CLOSING = re.escape(QUOTES + CLOSES)
_SENTENCE_END = re.compile(rf"[{re.escape(ENDS)}]+[{_CLOSING}]*(?:[{_BLANKS}]+|\Z)|[。！？]+[{_CLOSING}]*")
_DASH_BEFORE = re.compile(rf"[{_BLANKS}]*(?:[{_DASHES}]|(?<=\s)-)[{_BLANKS}]*\Z")
_DASH_AFTER = re.compile(rf"[{_BLANKS}]*(?:[{_DASHES}]|-(?=\s))")
_CLAUSE = re.compile(rf"[{COMMAS}]\s*([^\W_]+)")
_LINE_BREAKS = re.compile(r"\n+")
_TOKEN = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_LOOKBACK = 2  # words: "a stunning new line"


class _Side(enum.Enum):
    """What is on one side of a command."""

    PAUSE = enum.auto()  # or nothing
    QUESTION = enum.auto()
    WORD = enum.auto()  # an ordinary one
    SENTENCE = enum.auto()  # words that make the command part of a sentence


def _is_meant(command: Command, left: _Side, right: _Side, *, is_plain: bool, is_spaced: bool) -> bool:
    if _Side.SENTENCE in {left, right}:
        return False
    if command in WRITTEN:
        return is_spaced or _Side.WORD not in {left, right}
    return right is _Side.PAUSE and (left is _Side.PAUSE or (is_plain and is_spaced))


def _left_of(text: str, start: int, words: _Words) -> _Side:
    seen = text[max(0, start - _SEEN) : start]
    before = seen.rstrip(_BLANKS)
    if not before or before[-1] == "\n":
        return _Side.PAUSE
    last, is_joined = before[-1], before == seen
    if last in STOPS:
        return _Side.SENTENCE if is_joined and not is_unspaced(last) else _Side.PAUSE
    if last in _DASHES or (last == "-" and not is_joined and before[-2:-1].isspace()):
        return _Side.PAUSE
    if last in QUOTES + CLOSES:
        return _Side.PAUSE if ends_sentence(before) and not is_joined else _Side.SENTENCE
    if is_joined or not is_of_word(last):
        return _Side.SENTENCE
    tokens = [one.replace("’", "'").casefold() for one in _TOKEN.findall(before)[-_LOOKBACK:]]
    is_ordinary = bool(tokens) and (tokens[-1] in words.before or tokens[-1].endswith("'s"))
    is_ordinary = is_ordinary or any(one in words.articles or one.endswith("'s") for one in tokens)
    return _Side.SENTENCE if is_ordinary else _Side.WORD


def _right_of(text: str, end: int, words: _Words) -> _Side:
    seen = text[end : end + _SEEN]
    after = seen.lstrip(_BLANKS)
    if not after or after[0] == "\n":
        return _Side.PAUSE
    first, is_joined = after[0], after == seen
    if (pause := _PAUSE.match(after)) or first in STOPS:
        run = _PAUSES.match(after)
        is_question = any(mark in "?？؟" for mark in (run[0] if run else ""))
        is_inside = pause is None or after[pause.end() : pause.end() + 1] in {*QUOTES, *CLOSES}
        if is_inside:
            return _Side.SENTENCE
        return _Side.QUESTION if is_question else _Side.PAUSE
    if is_joined or not is_of_word(first):
        is_dash = first == "-" and not is_joined and after[1:2].isspace()
        return _Side.PAUSE if is_dash else _Side.SENTENCE
    token = _TOKEN.match(after)
    word = re.split("['’-]", token[0], maxsplit=1)[0].casefold() if token else ""
    return _Side.SENTENCE if word in words.after else _Side.WORD


def _after_pause(text: str, at: int) -> int:
    """The end of the punctuation and spaces at ``at``."""
    run = _PAUSES.match(text, at)
    return run.end() if run else at


def _followed_by(kept: str, rest: str, language: str) -> str:
    """``kept`` and then ``rest``, which begins a sentence where ``kept`` ends one."""
    kept, rest = kept.rstrip(_BLANKS), rest.lstrip(_BLANKS)
    if ends_sentence(kept):
        rest = large(rest, language)
    return kept + gap(kept, rest, language) + rest


# ---- their words ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Words:
    """The commands of a language, and the neighboring words that make them part of a sentence.

    Attributes:
        phrases: The phrases for each command, separated by bars, in lower case.
        lead: What may precede "scratch that" and belongs to it, separated by bars.
        articles: Words that form a phrase with what follows, also with an adjective between.
        before: Further such words, directly before the command.
        after: Such words directly after it.
    """

    phrases: dict[Command, str] = field(default_factory=dict)
    lead: str = ""
    articles: frozenset[str] = frozenset()
    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches any command, in the group of its name."""
        groups: list[str] = []
        for command, phrases in self.phrases.items():
            longest = sorted(map(str.strip, phrases.split("|")), key=len, reverse=True)
            said = "|".join(r"\s+".join(map(re.escape, one.split())) for one in longest)
            if command is Command.SCRATCH_THAT and self.lead:
                said = rf"(?:(?:{self.lead})[\s,…{_DASHES}-]+)*(?:{said})"
            if not is_unspaced(longest[0][0]):
                said = rf"(?<![\w'’@/-])(?:{said})(?![\w'’@/-])"
            groups.append(rf"(?P<{command}>{said})")
        return re.compile("|".join(groups), re.IGNORECASE)


def _words(
    new_line: str,
    new_paragraph: str,
    scratch_that: str,
    press_enter: str,
    *,
    lead: str = "",
    articles: str = "",
    before: str = "",
    after: str = "",
) -> _Words:
    said = (new_line, new_paragraph, scratch_that, press_enter)
    sets = (frozenset(one.split()) for one in (articles, before, after))
    return _Words(dict(zip(Command, said, strict=True)), lead, *sets)


_NO_WORDS = _Words()
_LANGUAGES = {  # by their English names
    "English": _words(
        "new line|newline",
        "new paragraph",
        "scratch that",
        "press enter",
        lead="actually|no|oh|wait|sorry|okay|ok|hmm|um|uh",
        articles="""
            a an the this that these those each every any no some another one two my your his her its our
            their whose which what""",
        before="""
            and or but nor than as like of with in into on onto for to from by at about between per under
            over through without via whole entire entirely brand completely totally wholly single second
            third next extra exciting bold fresh blank empty is are was were be been being am add adds added
            adding insert inserts inserted inserting start starts started starting begin begins began
            beginning make makes made making create creates created creating write writes wrote written
            writing type types typed typing open opens opened opening draw draws drew drawing need needs
            needed want wants wanted put puts putting use uses used using get gets got getting have has had
            having launch launches launched launching introduce introduces introduced see sees saw said say
            says saying call called means mean not don't never won't can't couldn't didn't doesn't shouldn't
            wouldn't will would can could should shall must may might do does did i i'd i'll you you'd
            you'll he she it we we'd we'll they they'd let let's just please then always also only again
            better rather""",
        after="""
            of item items character characters cinema cinemas break breaks feed feeds symbol symbols marker
            markers mark marks style styles manager managers worker workers product products extension
            extensions number numbers is was are were has had will would can could should must means may
            might in which who to because""",
    ),
    "German": _words(
        "neue Zeile",
        "neuer Absatz",
        "streich das|streiche das|lösch das|lösche das",
        """Enter drücken|Eingabe drücken|Eingabetaste drücken|drücke Enter|drück Enter|drücke Eingabe
        |drücke die Eingabetaste""",
        lead="nein|ach|warte|moment|sorry|ähm|äh|hm",
        articles="""
            ein eine einen einem einer eines der die das den dem des diese dieser dieses diesen diesem jede
            jeder jedes jeden jedem keine kein keinen meine mein deine dein seine sein ihre ihr unsere unser
            eure welche welcher jene jener manche""",
        before="""
            und oder als wie von mit in im ins an am auf für zu zum zur aus bei durch ohne um pro je nach
            vor über unter zwischen ganz völlig komplett ist sind war wird folgt beginnt beginne beginnen
            füge fügen setze setzen erzeuge erzeugt schreibe tippe öffne brauche braucht brauchen nicht nie
            bitte dann ich du er sie es wir man immer auch nur""",
        after="""
            der des von im in ist war wird beginnt folgt mit für am an auf was dass wenn bevor damit weil
            denn aber und oder bitte wo wie nicht""",
    ),
    "French": _words(
        "à la ligne|nouvelle ligne|retour à la ligne",
        "nouveau paragraphe",
        "efface ça|efface cela|effacer ça|supprime ça",
        "appuie sur entrée|appuyer sur entrée|appuyez sur entrée",
        lead="non|attends|euh|pardon|enfin",
        articles="""
            un une le la les l'une ce cet cette ces chaque mon ma mes ton ta tes son sa ses notre nos votre
            vos leur leurs aucun aucune quel quelle deux""",
        before="""
            et ou mais que comme de d'une d'un du des en dans sur pour par avec sans à au aux vers entre est
            sont était sera aller va vas vais allez allons va-t-il revenir reviens revient revenez passer
            passe passez passons retourner retourne retours pêche pêcher pêcheur pêcheurs pêchait pêchent
            facture insérer insère ajouter ajoute ajoutez écrire écris écrit créer crée commencer commence
            toute toutes point ne n'efface pas puis je tu il elle on nous vous toujours aussi""",
        after="""de du des d'une d'un est sont était sera qui que dans en pour avec et ou parce s'il""",
    ),
    "Spanish": _words(
        "nueva línea|nueva linea",
        "nuevo párrafo|nuevo parrafo",
        "borra eso|borrar eso|tacha eso",
        """pulsa intro|pulsa enter|pulsar intro|pulsar enter|presiona intro|presiona enter|presionar enter
        |dale a intro|dale a enter""",
        lead="no|espera|perdón|eh|bueno",
        articles="""
            un una el la los las este esta estos estas ese esa esos esas cada mi mis tu tus su sus nuestro
            nuestra ningún ninguna otro otra qué cuál dos""",
        before="""
            y o e u pero que como de del con en a al para por sin sobre entre desde hasta es son era fue
            será añade añadir agrega agregar inserta insertar escribe escribir crea crear empieza empezar
            comienza comenzar abre abrir lanza lanzan lanzar necesito necesita quiero no nunca por favor
            luego yo siempre también solo sólo""",
        after="""de del es son era fue será que en para con y o porque""",
    ),
    "Portuguese": _words(
        "nova linha",
        "novo parágrafo|novo paragrafo",
        "apaga isso|apague isso|risca isso",
        """pressione enter|pressiona enter|aperte enter|aperta enter|tecle enter|prima enter|carrega em enter
        |carregue em enter|dá enter""",
        lead="não|espera|desculpa|eh|bom",
        articles="""
            um uma o a os as este esta estes estas esse essa cada meu minha teu tua seu sua nosso nossa
            nenhum nenhuma outro outra que qual dois duas""",
        before="""
            e ou mas como de do da dos das com em no na nos nas para por pelo pela sem sobre entre desde até
            é são era foi será adicione adicionar insira inserir escreva escrever crie criar comece começar
            abra abrir lança lançar lançou preciso precisa quero não nunca então eu sempre também só""",
        after="""de do da dos das é são era foi será que em no na para com e ou porque""",
    ),
    "Italian": _words(
        "a capo|nuova riga|nuova linea",
        "nuovo paragrafo",
        "cancella questo|cancella quello",
        "premi invio|premere invio|premi enter",
        lead="no|aspetta|scusa|ehm|anzi",
        articles="""
            un una uno il la lo le i gli l' questo questa questi queste quello quella ogni mio mia tuo tua
            suo sua nostro nostra nessun nessuna altro altra quale due""",
        before="""
            e o ed ma che come di del della dello dei degli delle da dal dalla con in nel nella a al alla
            per su sul sulla senza tra fra è sono era fu sarà andare vai va andiamo andate vado torna
            tornare torniamo ritorna ritorno mettere metti essere sono punto aggiungi aggiungere inserisci
            inserire scrivi scrivere crea creare inizia iniziare apri aprire lancia lanciare serve servono
            non mai poi capo sempre anche solo""",
        after="""
            di del della dello dei degli delle dell è sono era fu sarà che nel nella in per con e o perché""",
    ),
    "Chinese": _words(
        "换行|換行|另起一行|新的一行",
        "新段落|另起一段|新的一段|换段|換段",
        """删掉这句|删除这句|删掉这句话|删除这句话|删掉上一句|删除上一句|删掉刚才那句|刪掉這句|刪除這句|刪掉這句話
        |刪除這句話|刪掉上一句|刪除上一句|刪掉剛才那句""",
        """按回车|按回车键|按下回车|按下回车键|敲回车|按回車|按回車鍵|按下回車|按下回車鍵|按enter|按 enter
        |按enter键|按 enter 键|按enter鍵|按 enter 鍵""",
    ),
    "Japanese": _words(
        "改行|改行して",
        "新しい段落|新段落|改段落",
        "今のなし|今のはなし|今の取り消し|今の消して|今のを消して|今の文を消して|さっきのなし",
        "エンターを押して|エンター押して|エンターキーを押して|enterを押して|enter押して|enterキーを押して",
    ),
}


def written_as(language: str) -> str:
    """The language whose commands ``language`` uses: Cantonese is written like Chinese."""
    return "Chinese" if language == "Cantonese" else language


def phrases_of(language: str) -> dict[Command, str]:
    """The phrases for each command in ``language``, the usual one first; {} if it has none."""
    words = _LANGUAGES.get(language)
    return (
        {} if words is None else {command: said.partition("|")[0] for command, said in words.phrases.items()}
    )


COMMAND_LANGUAGES = tuple(_LANGUAGES)
"""English names of the languages that have commands."""
