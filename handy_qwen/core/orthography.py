"""How two texts join: spaces, quotation marks, sentence ends and capitals.

A quotation mark that opens in one language closes in another. Preceding quotation marks decide which it
is, then the space before it, and only then the language.

The model capitalizes the first word of a text, taking it for a sentence of its own. Whether that word
would be capitalized inside a sentence cannot be known: names, weekdays and German nouns are. So only
words that certainly are not become lower case: articles, pronouns, conjunctions, prepositions and the
like. Words that are also names ("Will", "May") and polite pronouns ("Sie", "Вы") are not among them.
"""

# ruff: noqa: RUF001  the punctuation of many scripts is the subject

from __future__ import annotations

import re
from collections.abc import Iterable

from handy_qwen.languages import extends, has_space_between, is_unspaced

NARROW = "\u202f"  # no-break; French has it before ; : ? ! » and after «
COMMAS = ",、，､،፣၊՝"
ENDS = ".!?…。．｡！？؟۔।॥։።፧፨។៕။‼⁇⁈⁉\u037e"  # of sentences
STOPS = COMMAS + ENDS + ";:；：؛·፤፥፦"  # follow a word without a space
OPENS = "([{⟨〈《「『【〔（［｛〖¿¡„‚"
CLOSES = ")]}⟩〉》」』】〕）］｝〗"
QUOTES = "\"״'“”‘’«»‹›"  # either
ABBREVIATION = re.compile(r"(?<![^\W_])(?:(?:[^\W\d_]\.\s?){2,}|(?:etc|usw|bzw|vs|ca|Dr|Mr|Mrs|Ms|St)\.)$")
INVISIBLE = "\u200b\u200e\u200f\u061c\u2060\u2066\u2067\u2068\u2069\ufeff"
"""Direction marks of Arabic and Hebrew, and zero-width characters."""
_SEEN = 400  # characters: an earlier opening quotation mark is forgotten
_SUFFIX = re.compile(r"['’](?:s|t|d|m|re|ve|ll)\b", re.IGNORECASE)
_OPEN_APOSTROPHE = re.compile(r"(?:^|[\s(])'[^\s'][^']*$")
_SAME_ON_BOTH_SIDES = ("Swedish", "Finnish", "Danish")  # ”so”
_OPEN_SLASH = re.compile(r"(?:^|[\s(])[\w'’-]*(?:/|://)$")  # of "and/or", not of an address or a path
_OUTSIDE_ACRONYM = {mark: re.compile(f"(?<![א-ת]){mark}|{mark}(?![א-ת])") for mark in '"״'}
_ITEM = re.compile(r"\s*(?:[-*•–·>#]+|\(?\w{1,2}[.)])\s*")  # what an item of a list begins with
_CLOSES_HIGH = ("German", "Czech", "Macedonian", "Danish")  # „so“


def opens(mark: str, before: str, language: str = "") -> bool:
    """Whether ``mark`` opens, so that what follows joins it without a space.

    Args:
        mark: One character.
        before: The text before it.
        language: English name; "" if unknown.
    """
    if mark not in QUOTES:
        return mark in OPENS
    seen = before[-_SEEN:].rpartition("\n")[2]
    is_after_space = not seen or seen[-1].isspace() or seen[-1] in OPENS
    match mark:
        case '"' | "״":
            is_open = _is_outside(seen, mark)
        case "'":
            is_open = not _OPEN_APOSTROPHE.search(seen)
        case "“" | "‘":
            is_closing_low = seen.count("„" if mark == "“" else "‚") > seen.count(mark)
            is_open = not (is_closing_low or (language in _CLOSES_HIGH and not is_after_space))
        case "”":
            is_first = seen.count(mark) % 2 == 0 and "“" not in seen and "„" not in seen
            is_open = language in _SAME_ON_BOTH_SIDES and is_first
        case "«" | "‹":
            is_open = seen.count("»" if mark == "«" else "›") <= seen.count(mark)
        case "»" | "›":
            is_first = seen.count("«" if mark == "»" else "‹") <= seen.count(mark)
            is_open = language != "French" and is_first and is_after_space
        case _:  # an apostrophe, or the end of a quotation
            is_open = False
    return is_open


def gap(before: str, after: str, language: str = "") -> str:
    """The separator between the texts ``before`` and ``after``: a space, ``NARROW`` or nothing."""
    before, after = before.rstrip(INVISIBLE), after.lstrip(INVISIBLE)
    if not before or not after or before[-1].isspace() or after[0].isspace() or extends(after[0]):
        return ""
    left, right = before[-1], after[0]
    is_french = language == "French"
    if _is_opening_end(before, language):
        return NARROW if is_french and left == "«" else ""
    if right in CLOSES or (right in QUOTES and not _opens_next(right, before, after, language)):
        return NARROW if is_french and right == "»" else ""
    if clings(after):
        return NARROW if is_french and right in ";:?!" and left not in STOPS else ""
    if (left == "/" and _OPEN_SLASH.search(before[-_SEEN:])) or (right == "%" and left.isdigit()):
        return ""
    return " " if has_space_between(left, right) else ""


def clings(text: str) -> bool:
    """Whether ``text`` begins with punctuation that belongs to what precedes it; ".NET" and ":)" do not."""
    if text[:1] not in STOPS or not text:
        return False
    rest = text.lstrip(STOPS)[:1]
    return not rest or rest.isspace() or rest in QUOTES or is_unspaced(text[0]) or text[0] not in ".:;"


def ends_sentence(text: str) -> bool:
    """Whether ``text`` ends with a full sentence or a line break; the empty text does."""
    _, line_break, line = text.rpartition("\n")
    if line_break and not any(character.isalnum() for character in line):
        return True  # also after a bullet
    stripped = text.rstrip().rstrip(QUOTES + CLOSES + INVISIBLE + " \u00a0" + NARROW)
    if not stripped or stripped[-1] in ENDS:
        return True
    return stripped[-1] == ";" and _is_greek(stripped[:-1].rstrip()[-1:])  # its question mark


def is_quoting(text: str, language: str = "") -> bool:
    """Whether ``text`` ends where a quotation or list item begins: what follows may have a capital."""
    text = text.rstrip().rstrip(INVISIBLE)
    if text[-1:] in {":", "："} or _ITEM.fullmatch(text.rpartition("\n")[2]):
        return True
    return text[-1:] in {*QUOTES, *"„‚「『"} and _is_opening_end(text, language)


def join(texts: Iterable[str], language: str = "") -> str:
    """Join texts, with a space where one belongs."""
    joined: list[str] = []
    tail = ""
    for text in filter(None, texts):
        joined += [gap(tail, text, language), text]
        tail = (tail + joined[-2] + text)[-_SEEN:]
    return "".join(joined)


def _is_opening_end(before: str, language: str) -> bool:
    mark, earlier = before[-1:], before[:-1]
    if (
        mark in QUOTES
        and mark not in "“‘"
        and earlier
        and not (earlier[-1].isspace() or earlier[-1] in OPENS)
    ):
        return is_unspaced(earlier[-1]) and opens(mark, earlier, language)
    return bool(mark) and opens(mark, earlier, language)


def _opens_next(mark: str, before: str, after: str, language: str) -> bool:
    """Whether ``mark``, the first of ``after``, opens a quotation: the space belongs before it, not after."""
    if mark in "'’" and language != "Dutch" and _SUFFIX.match(after):  # Dutch: 't for "het"
        return False
    if mark == "’" and language in {"English", "Dutch"} and after[1:2].isalnum():  # the 90s
        return True
    if mark == '"':
        return _is_outside(before[-_SEEN:].rpartition("\n")[2], mark)
    if mark in "“‘" and language in _CLOSES_HIGH:
        return opens(mark, before + " ", language) and after[1:2].isalnum()
    return opens(mark, before + " ", language)


def _is_outside(text: str, mark: str) -> bool:
    """Whether as many quotations ended as began in ``text``. Marks in Hebrew acronyms are ignored."""
    return len(_OUTSIDE_ACRONYM[mark].findall(text)) % 2 == 0


def _is_greek(character: str) -> bool:
    return "\u0370" <= character <= "\u03ff" or "\u1f00" <= character <= "\u1fff"


# ruff: noqa: RUF001  letters of many scripts


# ---- capitals -------------------------------------------------------------------------------------------

_ORDINARY = {  # English name of the language -> words, in lower case
    "English": """a an the and or but nor so yet for if because although though while when where whether
        that than as at by from in into of off on onto out over to under until up upon with within without
        about above across after against along among around before behind below beneath beside between
        beyond during except inside near outside since through throughout toward towards
        he she it we you they him her us them his hers its our ours your yours their theirs my mine me
        this these those there here then which who whom whose what why how it's that's there's he's she's
        is are was were be been has have had do does did not no also only just even still very both either
        neither each every some any all many much more most such other another let's don't doesn't didn't
        isn't aren't wasn't weren't can't couldn't won't wouldn't shouldn't can could would should""",
    "German": """der die das den dem des ein eine einen einem einer eines und oder aber denn doch sondern
        weil dass ob wenn als wie während obwohl damit bevor nachdem seit bis in im an am auf aus bei beim
        mit nach vom vor zu zum zur für durch gegen ohne um über unter zwischen hinter neben wegen trotz
        ich du er es wir mich dich ihn uns euch mir dir ihm mein meine dein deine sein seine unser unsere
        dieser diese dieses jener jene jenes welcher welche welches wer was wo wann warum nicht kein keine
        auch nur noch schon sehr so dann da hier dort ist sind war waren hat haben hatte wird werden""",
    "French": """le la les l un une des du de d et ou mais donc or ni car que qu si quand comme lorsque
        puisque parce je j tu il elle on nous vous ils elles me m te t se s lui leur leurs mon ma mes ton ta
        tes son sa ses notre nos votre vos ce c cet cette ces à au aux en dans sur sous avec sans pour par
        chez vers entre depuis pendant avant après contre ne n pas y qui dont où est sont était aussi très
        plus alors puis""",
    "Spanish": """el la los las un una unos unas y e o u pero sino ni que si porque cuando como donde
        aunque mientras yo tú él ella nosotros ellos ellas me te se nos le les lo mi mis tu tus su sus
        nuestro nuestra este esta estos estas ese esa esos esas a al ante bajo con contra de del desde en
        entre hacia hasta para por según sin sobre tras no es son era también muy más entonces luego""",
    "Portuguese": """o a os as um uma uns umas e ou mas nem que se porque quando como onde embora
        enquanto eu tu ele ela nós eles elas me te lhe meu minha seu sua nosso nossa este esta esse essa
        isso isto de do da dos das em no na nos nas por pelo pela para com sem sob sobre entre até desde
        não é são era também muito mais então depois""",
    "Italian": """il lo la i gli le l un uno una e ed o ma né che se perché quando come dove mentre
        io tu lui noi voi loro mi ti si ci vi mio mia tuo tua suo sua nostro nostra questo questa quello
        quella di del dello della dei degli delle dell a al allo alla ai agli alle all da dal dalla in nel
        nella nei con su sul sulla per tra fra non è c sono era anche molto più allora poi""",
    "Dutch": """de het een en of maar want dus dat als omdat terwijl hoewel wanneer toen ik jij je hij zij
        ze wij we jullie mij me hem haar ons hen hun mijn jouw zijn onze dit deze die in op aan van voor met
        bij naar uit over onder tussen tegen zonder door om tot sinds niet geen ook nog al is was waren
        heeft hebben er hier daar dan te""",
    "Swedish": """en ett den det de och eller men att om när eftersom medan jag du han hon vi mig dig oss
        dem min mitt mina din ditt sin sitt vår vårt denna detta dessa i på av för med till från vid under
        över mellan utan mot efter före inte är var har hade också mycket då så som""",
    "Danish": """en et den det og eller men at om når fordi mens jeg du han hun vi mig dig os min mit mine
        din dit sin sit vores denne dette disse på af for med til fra ved under over mellem uden mod efter
        før ikke er var har havde også meget så som""",
    "Finnish": """ja tai mutta että jos kun koska vaikka kuin minä sinä hän me he se ne tämä tuo nämä nuo
        minun sinun hänen meidän heidän on oli ovat ei en myös vain hyvin sitten joka mikä jotka""",
    "Polish": """i oraz lub albo ale a że jeśli gdy kiedy ponieważ bo choć ja ty on ona ono my oni one
        mnie mi mój moja moje nasz nasza ten ta to te w we na z ze do od po za przed przez pod nad przy dla
        bez o u między nie jest są był była się też także bardzo więc który która które""",
    "Czech": """a i nebo ale že jestli když protože kdyby aby já on ona ono my oni mě mi můj moje náš naše
        ten ta to ty v ve na z ze do od po za před přes pod nad při pro bez o u mezi s se k ke ne je jsou
        byl byla také velmi tak který která které""",
    "Romanian": """un o niște și sau dar iar că dacă când pentru deoarece deși eu tu el ea noi ei ele mă
        te se îmi meu mea nostru acest această acești în din de la cu fără pe sub peste între după până
        spre nu este sunt era și-a foarte mai care ce""",
    "Hungarian": """a az egy és vagy de hogy ha mert amikor bár én te ő mi ők ez azok ezek nem is van volt
        vannak csak már még nagyon akkor ami aki amely""",
    "Turkish": """bir ve veya ya da ama fakat çünkü eğer ki ile için gibi kadar ben sen o biz onlar bu şu
        bunlar benim senin onun bizim değil var yok çok daha en de mi ise ancak sonra önce""",
    "Greek": """ο η το οι τα του της των τον την τους τις ένας μία μια ένα και ή αλλά ότι πως αν όταν
        γιατί επειδή ενώ εγώ εσύ αυτός αυτή αυτό εμείς αυτοί με σε στο στη στην στον στα από για προς χωρίς
        μετά πριν δεν μην είναι ήταν έχει επίσης πολύ που να θα μου σου""",
    "Russian": """и или но а что чтобы если когда потому хотя как я ты он она оно мы они меня мне мой моя
        моё мои твой наш наша этот эта это эти тот та те в во на с со к ко у о об от до из за под над перед
        при для без между через не ни же бы ли был была было были есть также тоже очень уже ещё который""",
    "Macedonian": """и или но а дека што ако кога затоа бидејќи јас ти тој таа тоа ние тие мене ми мој моја
        наш овој оваа ова овие во на со од до за под над пред при без меѓу кон не е се беше сум исто многу
        кој која кое кои""",
    "Indonesian": """dan atau tetapi tapi bahwa jika kalau ketika karena meskipun saya aku kamu dia kami
        kita mereka ini itu di ke dari untuk dengan tanpa pada dalam oleh tidak bukan adalah juga sangat
        sudah akan yang""",
    "Malay": """dan atau tetapi tapi bahawa jika kalau apabila kerana walaupun saya aku kamu dia kami kita
        mereka ini itu di ke dari untuk dengan tanpa pada dalam oleh tidak bukan adalah juga sangat sudah
        akan yang""",
    "Filipino": """ang ng mga sa at o pero kung kapag dahil habang ako ikaw siya kami tayo sila ito iyan
        iyon ko mo niya namin natin nila hindi ay rin din na para""",
    "Vietnamese": """và hoặc hay nhưng mà nếu khi vì tuy tôi bạn nó chúng họ này đó của ở trong ngoài trên
        dưới với cho từ đến không là cũng rất đã đang sẽ một các những""",
}
_WORDS = {language: frozenset(words.split()) for language, words in _ORDINARY.items()}
_LEADING = """the a an el la los las le les l il lo i gli o os as de den het ο η το οι ang
    van du des del della di da do dos das"""
_IN_NAMES = frozenset(_LEADING.split())
"""Words that also begin names: "The Hague", "Los Angeles", "Den Haag", "Da Vinci"."""
_FIRST = re.compile(r"[^\s,.;:!?…]+")
_GOES_ON = re.compile(r"[\d@_/\\]|[.:]\S")  # code, an address
_LETTERS = re.compile(r"[^\W\d_]+(?:[’'-][^\W\d_]+)*")


def small(text: str, language: str) -> str:
    """``text`` as the continuation of a sentence: its first word in lower case if it is a common word."""
    found = _FIRST.match(text)
    if found is None:
        return text
    word = found[0].replace("’", "'")
    first, _, elided = word.partition("'")
    rest = text[found.end() :]
    lowered = _lower(word, language), _lower(first, language)
    known = _WORDS.get(language, frozenset())
    ordinary = next((one for one in lowered if one in known), None)
    if ordinary is None or first[1:] != first[1:].lower() or elided[:1].isupper():
        return text
    is_single = len(first) == len(word) == 1
    if is_single and not rest[:1].isspace():  # an initial, the name of a letter
        return text
    # All German nouns are capitalized; elsewhere a capital after an article may make it part of a name.
    if language != "German" and ordinary in _IN_NAMES and rest.lstrip()[:1].isupper():
        return text
    return _lower(text[0], language) + text[1:]


def large(text: str, language: str) -> str:
    """``text`` as the start of a sentence. "iPhone", "x86" and "example.com" keep their first letter."""
    found = _LETTERS.match(text)
    if found is None or found[0] != found[0].lower():
        return text
    if _GOES_ON.match(text, found.end()):
        return text
    if language == "Dutch" and text.startswith("ij"):
        return "IJ" + text[2:]
    if language == "Turkish" and text[0] == "i":
        return "İ" + text[1:]
    first = text[0].title()
    return first + text[1:] if len(first) == 1 else text  # "ß" has no single capital letter


def _lower(text: str, language: str) -> str:
    if language == "Turkish":
        text = text.replace("İ", "i").replace("I", "ı")
    return text.lower()
