"""Replacements that write punctuation, line breaks or nothing fit into what the model writes."""

# ruff: noqa: RUF001  the punctuation of many scripts is the subject

import pytest

from handy_qwen.core.text import Replacement, TextRules, clean, fit

SIGNS = {
    "new line": "\n",
    "new paragraph": "\n\n",
    "tab stop": "\t",
    "comma": ",",
    "full stop": ".",
    "question mark": "?",
    "open bracket": "(",
    "close bracket": ")",
    "open quote": "“",
    "close quote": "”",
    "straight quote": '"',
    "dash": "–",
    "you know": "",
    "soft comma": ", ",
    "wide dash": " – ",
    "bullet": "\n- ",
}
RULES = TextRules(
    replacements=tuple(Replacement(heard, SIGNS[heard]) for heard in sorted(SIGNS, key=len, reverse=True))
)


def said(text, rules=RULES, language="English"):
    return clean(text, rules, language)


@pytest.mark.parametrize(
    ("heard", "written"),
    [
        # line breaks survive, take the command's punctuation along, and begin a sentence
        ("New line", "\n"),
        ("New line.", "\n"),
        ("first point new line second point", "first point\nSecond point"),
        ("First point. New line. Second point.", "First point.\nSecond point."),
        ("First point, new line, second point.", "First point\nSecond point."),
        ("One. New line. New line. Two.", "One.\n\nTwo."),
        ("One. New paragraph. Two.", "One.\n\nTwo."),
        ("new line iPhone", "\niPhone"),
        ("new line example.com is down", "\nexample.com is down"),
        ("name tab stop age", "name\tage"),
        # punctuation
        ("hello comma how are you", "hello, how are you"),
        ("Hello, comma, how are you?", "Hello, how are you?"),
        ("Hello. Comma. How are you?", "Hello, How are you?"),  # in doubt the model's capital stays
        ("Comma.", ","),
        ("that is all full stop the rest follows", "that is all. The rest follows"),
        ("That is all. Full stop. The rest follows.", "That is all. The rest follows."),
        ("is it true question mark yes", "is it true? Yes"),
        ("How are you? Question mark.", "How are you?"),
        ("one comma two comma three full stop", "one, two, three."),
        ("comma comma", ",,"),
        ("Name. Tab stop. Age.", "Name.\tAge."),
        ("yes, soft comma, no", "yes, no"),
        ("yes, wide dash, no", "yes – no"),
        ("One. Bullet. Two. Bullet. Three", "One.\n- Two.\n- Three"),
        ("Dear Anna comma new line I write", "Dear Anna,\nI write"),
        ("a full stop new line b", "a.\nB"),
        # brackets and quotation marks
        ("Hello, open bracket, world, close bracket.", "Hello (world)."),
        ("hello open bracket world close bracket again", "hello (world) again"),
        ("he said open quote hello close quote and left", "he said “hello” and left"),
        ("He said, open quote, hello, full stop, close quote. And left.", "He said “hello.” And left."),
        ("he said straight quote hello straight quote again", 'he said "hello" again'),
        ("yes comma open quote no close quote", "yes, “no”"),
        # dashes
        ("yes dash no", "yes – no"),
        ("Yes, dash, no.", "Yes – no."),
        # nothing
        ("I, you know, think so", "I, think so"),
        ("I you know think so", "I think so"),
        ("I think, you know.", "I think."),
        ("You know, it works.", "It works."),
        ("Yes. You know. No.", "Yes. No."),
        ("You know.", ""),
        ("(you know)", "()"),
    ],
)
def test_a_spoken_sign_takes_the_place_of_the_punctuation_around_it(heard, written):
    assert said(heard) == written


@pytest.mark.parametrize(
    ("heard", "written", "text", "result"),
    [
        ("arrow", "->", "x arrow y", "x -> y"),
        ("arrow", "->", "Arrow y", "-> y"),
        ("smiley", ":)", "Great smiley and more", "Great :) and more"),
        ("thumbs up", "👍🏽", "Thumbs up, Anna.", "👍🏽, Anna."),
        ("dot net", ".NET", "use dot net now", "use .NET now"),
        ("my mail", "anna@example.com", "My mail is known", "anna@example.com is known"),
        ("my site", "https://example.com/A?b=c,d", "see my site.", "see https://example.com/A?b=c,d."),
        ("for example", "e.g.", "Fruit, for example apples.", "Fruit, e.g. apples."),
        ("and so on", "etc.", "Fruit and so on.", "Fruit etc."),
        ("and so on", "etc.", "Fruit and so on, then more", "Fruit etc., then more"),
        ("greetings", "Best regards,\nAnna", "Yes. Greetings.", "Yes. Best regards,\nAnna."),
        ("signature", "--\nAnna  Smith\n", "Yes. Signature. Next", "Yes. --\nAnna  Smith\nNext"),
        ("what", "What's up?", "what.", "What's up?"),
        ("bullet", "\n- ", "One bullet two bullet", "One\n- two\n- "),
        ("my words", "two  spaces", "my words here", "two  spaces here"),
        ("windows", "a\r\nb\x07\x00c", "windows", "a\nbc"),
        ("x", "IT", "x", "IT"),
        ("btw", "by the way", "Yes, Btw no", "Yes, by the way no"),
        ("btw", "by the way", "BTW yes", "By the way yes"),
        ("npm", "npm", "NPM install", "npm install"),
        ("npm", "npm", "Npm install", "Npm install"),
    ],
)
def test_everything_else_is_written_as_it_is(heard, written, text, result):
    assert said(text, TextRules(replacements=(Replacement(heard, written),))) == result


def test_a_custom_word_of_small_letters_begins_a_sentence_as_it_is():
    rule = TextRules(replacements=(Replacement("N P M", "npm"),), custom_words=("npm",))
    assert said("N P M install", rule) == "npm install"
    rule = TextRules(replacements=(Replacement("new line", "\n"),), custom_words=("npm",))
    assert said("new line npm install", rule) == "\nnpm install"


@pytest.mark.parametrize(
    ("pattern", "written", "text", "result"),
    [
        (r"comma", ",", "Hello, comma, you", "Hello, you"),
        (r"(\d+) percent", r"\1 %", "about 20 percent, maybe", "about 20 %, maybe"),
        (r"\s*dot\s*", ".", "example dot com", "example.com"),  # what it takes itself is not fitted
        (r"\s+hyphen\s+", "-", "well hyphen known", "well-known"),
        (r"(?<=a)b", "", "ab ab", "a a"),
        (r"\.(?=com)", "!", "example.com", "example!com"),
        (r"(\w+) (\w+)", r"\2 \1", "one two", "two one"),
        (r"^", "> ", "quoted", "> quoted"),
        (r"$", ".", "done", "done."),
        (r"(?P<n>x)", r"\g<n>\n", "x y", "x\nY"),
    ],
)
def test_a_pattern_is_fitted_where_it_found_whole_words(pattern, written, text, result):
    assert said(text, TextRules(replacements=(Replacement(pattern, written, is_regex=True),))) == result


@pytest.mark.parametrize(
    ("language", "heard", "written", "text", "result"),
    [
        ("French", "point d'interrogation", "?", "ça va point d’interrogation oui", "ça va\u202f? Oui"),
        ("French", "virgule", ",", "oui virgule non", "oui, non"),
        ("French", "deux points", ":", "voici deux points un", "voici\u202f: un"),
        ("French", "à la ligne", "\n", "Un. À la ligne. deux", "Un.\nDeux"),
        ("German", "Komma", ",", "Hallo Komma wie geht's", "Hallo, wie geht's"),
        ("German", "neue Zeile", "\n", "Eins. Neue Zeile. Zwei.", "Eins.\nZwei."),
        ("Spanish", "abre pregunta", "¿", "abre pregunta qué tal", "¿qué tal"),
        ("Turkish", "yeni satır", "\n", "bir yeni satır iki", "bir\nİki"),
        ("Dutch", "nieuwe regel", "\n", "een nieuwe regel ijs", "een\nIJs"),
        ("Greek", "ερωτηματικό", ";", "τι κάνεις ερωτηματικό καλά", "τι κάνεις; Καλά"),
        ("Russian", "точка", ".", "да точка нет", "да. Нет"),
        ("Arabic", "فاصلة", "،", "نعم فاصلة لا", "نعم، لا"),
        ("Arabic", "علامة استفهام", "؟", "كيف حالك علامة استفهام", "كيف حالك؟"),
        ("Hindi", "पूर्ण विराम", "।", "मैं ठीक हूँ पूर्ण विराम", "मैं ठीक हूँ।"),
        ("Chinese", "逗号", "，", "你好逗号世界", "你好，世界"),
        ("Chinese", "逗号", "，", "你好，逗号，世界。", "你好，世界。"),
        ("Chinese", "换行", "\n", "第一。换行。第二。", "第一。\n第二。"),
        ("Japanese", "改行", "\n", "一行目。改行。二行目。", "一行目。\n二行目。"),
        ("Japanese", "かぎかっこ", "「", "彼はかぎかっこはい", "彼は「はい"),
        ("Korean", "쉼표", ",", "네 쉼표 아니요", "네, 아니요"),
        ("Korean", "쉼표", ",", "쉼표는 기호다", "쉼표는 기호다"),
        ("Korean", "새 줄", "\n", "새 줄로 가자", "새 줄로 가자"),
        ("Thai", "จุลภาค", ",", "สวัสดี จุลภาค ครับ", "สวัสดี, ครับ"),
        ("Dutch", "nieuwe regel", "\n", "nieuwe regel 't is laat", "\n't is laat"),
        ("Dutch", "nieuwe regel", "\n", "nieuwe regel 'laat'", "\n'Laat'"),
        ("Thai", "ขึ้นบรรทัดใหม่", "\n", "หนึ่งขึ้นบรรทัดใหม่สอง", "หนึ่ง\nสอง"),
    ],
)
def test_signs_fit_as_the_language_writes_them(language, heard, written, text, result):
    assert said(text, TextRules(replacements=(Replacement(heard, written),)), language) == result


def test_french_quotation_marks_have_narrow_spaces_inside():
    rules = TextRules(replacements=(Replacement("ouvrez", "«"), Replacement("fermez", "»")))
    assert said("il dit ouvrez bonjour fermez et part", rules, "French") == (
        "il dit «\u202fbonjour\u202f» et part"
    )


def test_a_line_break_said_alone_is_inserted_after_the_text_before():
    assert fit(said("New line."), RULES, "Hello.", "English") == "\n"
    assert fit("The next", RULES, "Hello.\n", "English") == "The next"


@pytest.mark.parametrize(
    ("heard", "written", "text", "result"),
    [
        (",", ";", "a, b", "a; b"),
        (",", "", "a, b, c", "a b c"),
        (",", "", ", a", "a"),
        (".", "\n", "One. Two.", "One\nTwo\n"),
        ("…", "...", "Well… yes", "Well... yes"),
    ],
)
def test_punctuation_of_the_model_can_be_replaced(heard, written, text, result):
    assert said(text, TextRules(replacements=(Replacement(heard, written),))) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [("One (", "One ("), ("Und «", "Und «"), ("and/", "and/"), ("one", "one "), ("好", "好")],
)
def test_a_trailing_space_follows_where_the_next_word_would_have_one(text, result):
    assert fit(text, TextRules(has_trailing_space=True), None, "English") == result


def test_the_order_of_the_replacements_does_not_matter_for_signs_side_by_side():
    for signs in (RULES.replacements, tuple(reversed(RULES.replacements[:-2]))):
        text = "He said, open quote, hello, full stop, close quote, new line. Bye."
        assert said(text, TextRules(replacements=signs)) == "He said “hello.”\nBye."


def test_signs_beside_replaced_names_keep_their_spaces():
    rules = TextRules(replacements=(Replacement("comma", ","), Replacement("quen", "Qwen")))
    assert said("we like comma quen comma a lot", rules) == "we like, Qwen, a lot"
    rules = TextRules(replacements=tuple(reversed(rules.replacements)))
    assert said("we like quen comma quen", rules) == "we like Qwen, Qwen"


@pytest.mark.parametrize(
    ("language", "signs", "text", "result"),
    [
        ("French", {"point": ".", "point d'exclamation": "!"}, "Oui, point d’exclamation.", "Oui\u202f!"),
        ("Spanish", {"punto": ".", "punto y aparte": ".\n"}, "fin. Punto y aparte. Uno.", "fin.\nUno."),
        ("English", {"b c": "1", "a b c d": "2"}, "a b c d", "2"),
    ],
)
def test_of_two_replacements_for_the_same_words_the_longer_counts(language, signs, text, result):
    rules = tuple(Replacement(heard, written) for heard, written in signs.items())
    for order in (rules, rules[::-1]):
        assert said(text, TextRules(replacements=order), language) == result


def test_of_two_equally_long_replacements_that_overlap_the_first_counts():
    rules = (Replacement("a b", "1"), Replacement("b c", "2"))
    assert said("a b c", TextRules(replacements=rules)) == "1 c"
    assert said("a b c", TextRules(replacements=rules[::-1])) == "a 2"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("I live in the U.S. comma and", "I live in the U.S., and"),
        ("I live in the U.S. Comma. And", "I live in the U.S., And"),
        ("Fruit etc. comma and more", "Fruit etc., and more"),
        ("at 5 p.m. question mark", "at 5 p.m.?"),
        ("in the U.S. full stop the rest", "in the U.S. The rest"),
        ("I like plan B. Comma. And", "I like plan B, And"),
    ],
)
def test_the_full_stop_of_an_abbreviation_stays_before_a_spoken_sign(text, result):
    assert said(text) == result


@pytest.mark.parametrize(
    ("language", "signs", "text", "result"),
    [
        ("Spanish", {"abrir": "¿", "cerrar": "?"}, "Abrir cómo estás cerrar", "¿Cómo estás?"),
        ("Spanish", {"punto": ".", "abrir": "¿", "cerrar": "?"}, "sí punto abrir qué cerrar", "sí. ¿Qué?"),
        ("Spanish", {"abrir": "¿", "cerrar": "?"}, "y, abrir, qué, cerrar", "y ¿qué?"),
        ("English", {"open": "(", "close": ")"}, "Yes. Open no close", "Yes. (No)"),
        ("English", {"open": "“", "close": "”"}, "Open, hello, close.", "“Hello”."),
        ("English", {"stop": ".", "dash": " – "}, "that is all stop dash he said", "that is all. – He said"),
        ("English", {"stop": ".", "close": "”"}, "“I come stop close then he went", "“I come.” Then he went"),
        ("German", {"Frage": "?", "zu": "“"}, "„Hallo Frage zu fragte er", "„Hallo?“ fragte er"),
        ("English", {"dots": "..."}, "wait dots what", "wait... what"),
        ("German", {"Komma": ",", "Zeile": "\n"}, "Liebe Anna Komma Zeile ich bin", "Liebe Anna,\nich bin"),
        ("English", {"comma": ",", "line": "\n"}, "Dear Anna comma line we are", "Dear Anna,\nWe are"),
    ],
)
def test_a_capital_follows_a_sign_where_a_sentence_begins(language, signs, text, result):
    rules = tuple(Replacement(heard, written) for heard, written in signs.items())
    assert said(text, TextRules(replacements=rules), language) == result
