"""Spoken commands are obeyed where they stand apart, and are words of a sentence everywhere else."""

# ruff: noqa: RUF001  the punctuation of many scripts is the subject

import re
import unicodedata
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handy_qwen.core.commands import (
    COMMAND_LANGUAGES,
    WRITTEN,
    Command,
    Obeyed,
    commands_in,
    obey,
    phrases_of,
)
from handy_qwen.core.text import Replacement, TextRules, clean, fit, heard, placeholders_in
from handy_qwen.settings import Settings

ALL = frozenset(Command)
RULES = TextRules(commands=ALL)
SNIPPETS = (
    Replacement("my address", "1 High Street\nLondon", is_alone=True),
    Replacement("sign off", "Best regards,\nAnna ({date}, {time})", is_alone=True),
    Replacement("paste it", "{clipboard}", is_alone=True),
)


def said(text, language="English", rules=RULES, **more):
    return heard(text, rules, language, **more)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        # at the start, in the middle, at the end; with punctuation around, and without
        ("New line. Hello.", "\nHello."),
        ("New line hello", "\nHello"),
        ("Hello. New line. How are you?", "Hello.\nHow are you?"),
        ("Hello, new line, how are you?", "Hello\nHow are you?"),
        ("Hello new line how are you", "Hello\nHow are you"),
        ("Dear Anna, new paragraph. Thank you.", "Dear Anna\n\nThank you."),
        ("Dear Anna new paragraph thank you", "Dear Anna\n\nThank you"),
        ("Goodbye. New line.", "Goodbye.\n"),
        ("Goodbye new line", "Goodbye\n"),
        ("Milk. New line. New line. Eggs.", "Milk.\n\nEggs."),
        ("Milk newline eggs", "Milk\nEggs"),
        ("Milk! New line? Eggs…", "Milk!\nEggs…"),
        ("Milk – new line – eggs", "Milk\nEggs"),
        ("New paragraph", "\n\n"),
        # "scratch that"
        ("A dog. A cat. Scratch that. A bird.", "A dog. A bird."),
        ("Let's meet at five. Scratch that. Let's meet at six.", "Let's meet at six."),
        ("Let's meet at five, scratch that, at six.", "At six."),
        ("Let's meet at five. No, wait, scratch that. At six.", "At six."),
        ("let's meet at five scratch that", ""),
        ("A dog. A cat. Scratch that.", "A dog."),
        ("A dog. A cat. A bird. Scratch that. Scratch that.", ""),
        ("Dr. Smith called. It's 3.5 km. Scratch that.", "Dr. Smith called."),
        ("Dr. Smith called. Scratch that. Nobody called.", "Nobody called."),
        ("Milk. New line. Eggs. Scratch that. Bread.", "Milk.\nBread."),
        ("Milk. New line. Scratch that. Bread.", "Milk. Bread."),
        ("He said “No.” Then he left. Scratch that.", "He said “No.”"),
        ("A b. Scratch that. C d. Scratch that. E f.", "E f."),
    ],
)
def test_a_command_is_obeyed_wherever_it_stands_apart(text, result):
    assert said(text).text == result
    assert not said(text).scratches


@pytest.mark.parametrize(
    ("text", "left", "scratches", "is_again"),
    [
        ("Scratch that.", "", 1, False),
        ("Scratch that. Scratch that.", "", 2, False),
        ("Scratch that. Let's meet at six.", "Let's meet at six.", 1, False),
        ("scratch that", "", 1, False),
        ("Oops. Scratch that. Scratch that.", "", 1, True),
        ("No, scratch that.", "", 1, False),
    ],
)
def test_where_nothing_is_left_of_what_was_said_more_is_taken_back(text, left, scratches, is_again):
    found = said(text)
    assert (found.text, found.scratches, found.is_again) == (left, scratches, is_again)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("See you tomorrow. Press enter.", "See you tomorrow."),
        ("see you tomorrow press enter", "see you tomorrow"),
        ("Press Enter.", ""),
        ("New line. Press enter!", "\n"),
        ("Hello. New line, press enter.", "Hello.\n"),
    ],
)
def test_enter_is_pressed_at_the_end(text, left):
    found = said(text)
    assert (found.text, found.presses_enter) == (left, True)


ORDINARY = {
    "English": """
        We need a new line of products.
        They launched a new line yesterday.
        Apple's new line is expensive.
        I waited in the new line.
        Start each item on a new line.
        She drew a bold new line.
        The designer presented a stunning new line of shoes.
        Add a new line character here.
        Put every name on a new line.
        This is a whole new line of work.
        The brand-new line opens in May.
        Write it on the next new line.
        Is that a new line?
        A new line is needed.
        He read out: “new line”.
        Insert a newline after the header.
        The file ends without a newline.
        Use newline to separate them.
        New Line Cinema made the film.
        New line managers will be trained.
        We don't need any new line.
        The tram got its new line last year.
        Begin a new paragraph here.
        Each new paragraph needs a topic.
        The new paragraph is too long.
        I would start a new paragraph.
        A new paragraph begins with a tab.
        Does this need a new paragraph?
        My new paragraph, which you read, is short.
        Their new paragraph contradicts the first.
        Another new paragraph follows.
        He deleted the new paragraph.
        Please don't scratch that.
        The cat will scratch that sofa.
        You can scratch that itch.
        Did you scratch that?
        I had to scratch that plan.
        Let's scratch that idea.
        Scratch that itch before it gets worse.
        If you scratch that surface, it shows.
        Never scratch that lens.
        We should scratch that.
        The dog likes to scratch that spot.
        Press enter to continue.
        When you are done, press enter.
        To send it: press enter.
        Type your name – press enter.
        You have to press enter.
        Then press enter and wait.
        Did you press enter?
        Just press enter when you are done.
        If you press enter, it stops.
        Press Enter twice.
        They press enter too early.
        The letterpress enterprise grew.
        Don't press enter.
        Can you press enter for me?
        “Press enter”, it said.
    """,
    "German": """
        Wir brauchen eine neue Zeile.
        Die neue Zeile ist zu lang.
        Jeder Name steht in einer neuen Zeile.
        Füge neue Zeile und Spalte ein.
        Das ist ein neuer Absatz.
        Ein neuer Absatz beginnt hier.
        Der neue Absatz ist kurz.
        Bitte streich das.
        Ich streich das Zimmer.
        Streich das Brot mit Butter.
        Lösch das, was du nicht brauchst.
        Lösch das Feuer!
        Du musst Enter drücken.
        Zum Bestätigen Enter drücken.
        Dann Enter drücken und warten.
        Hast du die neue Zeile gesehen?
    """,
    "French": """
        Il faut une nouvelle ligne.
        La nouvelle ligne est ouverte.
        Il pêche à la ligne.
        Tu dois aller à la ligne.
        C'est un nouveau paragraphe.
        Le nouveau paragraphe de la loi.
        N'efface pas ça.
        Il faut appuyer sur entrée pour continuer.
        C'est comme ça, point à la ligne.
        Il faut aller à la ligne après chaque phrase.
        Chaque nouvelle ligne commence par un tiret.
        Ajoute une nouvelle ligne au tableau.
        Efface ça du tableau.
        Appuyez sur entrée quand vous êtes prêts.
        Les nouvelles lignes de métro ouvrent demain.
    """,
    "Spanish": """
        Necesitamos una nueva línea.
        La nueva línea de metro abre hoy.
        Es un nuevo párrafo.
        No borra eso nunca.
        Pulsa intro para continuar.
        Cada nueva línea cuenta.
        Empieza con una nueva línea.
        Lanzan una nueva línea de productos.
        Lee el nuevo párrafo de la ley.
        Borra eso de la pizarra.
        Para enviar el mensaje, pulsa intro.
        Las nuevas líneas son más largas.
    """,
    "Portuguese": """
        Precisamos de uma nova linha.
        A nova linha de metrô abre hoje.
        É um novo parágrafo.
        Pressione enter para continuar.
        Ele não apaga isso.
        Comece com uma nova linha.
        Lançaram uma nova linha de produtos.
        Cada novo parágrafo tem um título.
        Apaga isso do quadro.
        Para enviar, aperte enter.
        As novas linhas são mais longas.
    """,
    "Italian": """
        Serve una nuova riga.
        La nuova linea di prodotti è bella.
        Bisogna andare a capo.
        È a capo di una grande azienda.
        È un nuovo paragrafo.
        Premi invio per continuare.
        Punto e a capo.
        Vai a capo dopo ogni frase.
        Aggiungi una nuova riga alla tabella.
        Ogni nuovo paragrafo ha un titolo.
        Cancella questo file.
        Per inviare, premi invio.
    """,
    "Chinese": """
        需要自动换行。
        请按回车键继续。
        这里要换行吗？
        换行符是什么？
        我想另起一段新生活。
        不要删掉这句话。
        我们坐地铁要换行李箱。
        新的一行代码写完了。
        新段落要空两格。
        他按回车键发送了消息。
        请把新的一段读给我听。
        新的一行业正在兴起。
    """,
    "Japanese": """
        ここで改行してください。
        改行コードは何ですか。
        新しい段落を始めます。
        エンターを押してください。
        今のなしでお願いします。
        改行のしかたを教えてください。
        新段落の始めは一字下げます。
        文の途中で改行しないでください。
        エンターを押してから待ちます。
        今の消しゴムは新しいです。
        改行されていません。
    """,
}
SENTENCES = [
    (language, line.strip()) for language, lines in ORDINARY.items() for line in lines.strip().splitlines()
]


@pytest.mark.parametrize(("language", "text"), SENTENCES)
def test_the_same_words_in_ordinary_use_are_left_alone(language, text):
    found = said(text, language)
    assert (found.text, found.scratches, found.presses_enter) == (text, 0, False)
    within = f"{text} {text}"
    assert said(within, language).text == within


def test_fifty_english_sentences_are_among_them_and_ten_of_each_other_language():
    count = Counter(language for language, _ in SENTENCES)
    assert count.keys() == {*COMMAND_LANGUAGES}
    assert min(count.values()) >= 10
    assert count["English"] >= 50


@pytest.mark.parametrize("language", COMMAND_LANGUAGES)
def test_each_language_has_its_commands(language):
    says = phrases_of(language)
    stop, gap = (".", " ") if language not in {"Chinese", "Japanese"} else ("。", "")
    one, two = ("Bla", "Blu") if gap else ("你好", "再见")
    before, after = f"{one}{stop}{gap}", f"{gap}{two}{stop}"
    for command, written in WRITTEN.items():
        spoken = says[command].capitalize() + stop
        assert said(before + spoken + after, language).text == f"{one}{stop}{written}{two}{stop}"
        assert said(spoken, language).text == written
        assert said(before + spoken, language).text == f"{one}{stop}{written}"
    scratch, enter = (says[one].capitalize() + stop for one in (Command.SCRATCH_THAT, Command.PRESS_ENTER))
    assert said(before + scratch + after, language).text == f"{two}{stop}"
    assert said(before + enter, language).presses_enter
    for command in Command:
        off = TextRules(commands=ALL - {command})
        text = before + says[command].capitalize() + stop
        assert said(text, language, off).text == text, "switched off, it is a text like any other"


def test_commands_can_be_switched_off_for_a_language():
    rules = TextRules(commands=ALL, commands_not_in=("German", "Chinese"))
    for text, language in (
        ("Milch. Neue Zeile. Eier.", "German"),
        ("你好。换行。", "Cantonese"),
        ("Streich das.", "German"),
    ):
        assert said(text, language, rules) == Obeyed(text)
    assert said("Milk. New line. Eggs.", rules=rules).text == "Milk.\nEggs."
    assert Settings(commands_not_in=["de", "German"]).text_rules.commands_not_in == ("German",)


@pytest.mark.parametrize(
    ("text", "language", "left"),
    [
        ("Milch, neue Zeile, Eier.", "German", "Milch\nEier."),
        ("Liebe Anna, neuer Absatz, danke.", "German", "Liebe Anna\n\nDanke."),
        ("Wir kommen. Ach nein, streich das. Wir bleiben.", "German", "Wir bleiben."),
        ("Bonjour Anna, à la ligne, merci.", "French", "Bonjour Anna\nMerci."),
        ("Bonjour. À la ligne. Merci.", "French", "Bonjour.\nMerci."),
        ("Il pleut. Non, attends, efface ça. Il neige.", "French", "Il neige."),
        ("Leche, nueva línea, huevos.", "Spanish", "Leche\nHuevos."),
        ("Hola. Nuevo párrafo. ¿Cómo estás?", "Spanish", "Hola.\n\n¿Cómo estás?"),
        ("Leite, nova linha, ovos.", "Portuguese", "Leite\nOvos."),
        ("Olá. Novo parágrafo. Tudo bem?", "Portuguese", "Olá.\n\nTudo bem?"),
        ("Latte, a capo, uova.", "Italian", "Latte\nUova."),
        ("Ciao. Nuovo paragrafo. Come stai?", "Italian", "Ciao.\n\nCome stai?"),
        ("牛奶，换行，鸡蛋。", "Chinese", "牛奶\n鸡蛋。"),
        ("牛奶。換行。雞蛋。", "Chinese", "牛奶。\n雞蛋。"),
        ("我来了。删掉上一句。我不来。", "Chinese", "我不来。"),
        ("牛乳、改行、卵。", "Japanese", "牛乳\n卵。"),
        ("牛乳。改行して。卵。", "Japanese", "牛乳。\n卵。"),
        ("牛乳。\u3000改行。\u3000卵。", "Japanese", "牛乳。\u3000\n卵。"),
        ("牛乳｡改行｡卵｡", "Japanese", "牛乳｡\n卵｡"),
        ("行きます。今のはなし。行きません。", "Japanese", "行きません。"),
    ],
)
def test_commands_in_the_punctuation_of_their_language(text, language, left):
    assert said(text, language).text == left


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Bis morgen. Eingabetaste drücken.", "German"),
        ("À demain. Appuie sur Entrée.", "French"),
        ("Hasta mañana. Dale a Enter.", "Spanish"),
        ("Até amanhã. Carrega em Enter.", "Portuguese"),
        ("A domani. Premi Invio.", "Italian"),
        ("明天见。按 Enter 键。", "Chinese"),
        ("明天见。按Enter。", "Chinese"),
        ("また明日。Enterキーを押して。", "Japanese"),
    ],
)
def test_enter_is_pressed_by_the_names_that_the_key_has(text, language):
    found = said(text, language)
    assert found.presses_enter
    assert text.startswith(found.text)
    assert not said(f"{text} {text}", language, TextRules()).presses_enter


def test_a_language_without_commands_has_none():
    assert (
        said("New line. Scratch that. Press enter.", "Korean").text == "New line. Scratch that. Press enter."
    )
    assert said("换行。", "Cantonese").text == "\n", "which is written as Chinese is"


# --- texts of the user's own -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("My address.", "1 High Street\nLondon"),
        ("My address?", "1 High Street\nLondon"),
        ("My address. Thanks.", "1 High Street\nLondon Thanks."),
        ("Thanks. My address.", "Thanks. 1 High Street\nLondon"),
        ("Thanks, my address.", "Thanks, 1 High Street\nLondon."),
        ("Thanks. New line. My address. New line. Bye.", "Thanks.\n1 High Street\nLondon\nBye."),
        ("Thanks new line, my address.", "Thanks\n1 High Street\nLondon"),
        ("Scratch that. My address.", "1 High Street\nLondon"),
        ("my address", "1 High Street\nLondon"),
        ("Here it is: my address. Thanks.", "Here it is: 1 High Street\nLondon. Thanks."),
        ("Send it, my address, please.", "Send it, 1 High Street\nLondon, please."),
        ("This is my address.", "This is my address."),
        ("My address is long.", "My address is long."),
        ("What is my address?", "What is my address?"),
        ("“My address”", "“My address”"),
    ],
)
def test_what_is_said_alone_gets_its_text_and_the_same_words_in_a_sentence_do_not(text, result):
    rules = TextRules(replacements=SNIPPETS, commands=ALL)
    assert clean(text, rules, "English") == result


def test_date_time_and_clipboard_are_filled_in_only_where_they_are_asked_for():
    rules = TextRules(replacements=SNIPPETS)
    values = {"date": "30 November", "time": "10:15", "clipboard": "a {date} b\x00"}
    assert placeholders_in("Bye. Sign off.", rules) == {"date", "time"}
    assert placeholders_in("Paste it.", rules) == {"clipboard"}
    assert placeholders_in("I paste it here and sign off now.", rules) == frozenset()
    filled = heard("Bye. Sign off. Paste it.", rules, "English", values=values).text
    assert filled == "Bye. Best regards,\nAnna (30 November, 10:15) a {date} b"
    assert "{date}" in clean("Sign off.", rules, "English"), "nobody knows it"
    chinese = TextRules(replacements=(Replacement("我的地址", "北京", is_alone=True),))
    assert clean("你好。我的地址。再见。", chinese, "Chinese") == "你好。北京再见。"
    plain = TextRules(replacements=(Replacement("a brace", "{date}"),))
    assert heard("Write a brace.", plain, "English", values=values).text == "Write {date}."


# --- properties --------------------------------------------------------------------------------------

PHRASES = [
    phrase for language in ("English", "German", "Chinese") for phrase in phrases_of(language).values()
]
WORDS = ["one", "Two", "my address", "a", "to", "Dr", "你好", "3.5", *PHRASES]
MARKS = [". ", ", ", " ", " ", "? ", "! ", "… ", "\n", "。", "，", " – ", "”", " “"]
SPEECH = st.lists(st.sampled_from([*WORDS, *MARKS]), max_size=30).map("".join)
LANGUAGES = st.sampled_from(["English", "German", "Chinese", "Korean"])


def letters(text):
    return [char for char in unicodedata.normalize("NFC", text).casefold() if char.isalnum()]


@given(SPEECH, LANGUAGES, st.sets(st.sampled_from(Command)), st.text())
def test_nothing_is_lost_or_doubled_but_what_a_command_takes(text, language, commands, other):
    for one in (text, other):
        found = obey(one, language, commands)
        kept = iter(letters(one))
        assert all(letter in kept for letter in letters(found.text)), "in their order, and none added"
        if not commands_in(one, language, commands):
            assert found.text == one
        without = obey(one, language, commands & WRITTEN.keys())
        assert without.text == one, "line breaks are left to the replacements"
    assert clean(text, TextRules(), language) == heard(text, TextRules(), language).text


MARKED = {"my address": "①", "sign off": "②", "one": "③", "zigzag": "⟨zag⟩"}  # heard and written
MARKED_RULES = (
    Replacement("my address", "①", is_alone=True),
    Replacement("sign off", "②\n", is_alone=True),
    Replacement("one", "③"),
    Replacement("zig(zag)", r"⟨\1⟩", is_regex=True),
    Replacement("Two", ""),
)
OWN = re.compile(r"w\d+q", re.IGNORECASE)  # a word that nothing concerns; each comes once
MIXED = st.lists(
    st.sampled_from(["own", "own", *WORDS, *MARKED, "um", "Uh", "äh", "um, ", *MARKS, *MARKS]), max_size=40
).map(lambda parts: "".join(f"w{at}q" if one == "own" else one for at, one in enumerate(parts)))
TEXT_RULES = st.builds(
    TextRules,
    replacements=st.lists(st.sampled_from(MARKED_RULES), unique=True).map(tuple),
    is_without_fillers=st.booleans(),
    has_trailing_space=st.booleans(),
    is_fitted=st.booleans(),
    custom_words=st.sampled_from([(), ("um",), ("Two",)]),
    commands=st.sets(st.sampled_from(Command)).map(frozenset),
)


@settings(max_examples=400)
@given(MIXED, LANGUAGES, TEXT_RULES, st.none() | SPEECH)
def test_all_of_it_together_loses_moves_and_doubles_no_word(text, language, rules, previous):
    found = heard(text, rules, language)
    left = obey(text, language, rules.commands).text
    fitted = fit(found.text, rules, previous, language) if found.text else ""
    own = [one.casefold() for one in OWN.findall(left)]
    assert [one.casefold() for one in OWN.findall(fitted)] == own
    spoken = iter(OWN.findall(text.casefold()))
    assert all(one in spoken for one in own), "in their order; a command may have taken some back"
    once, before = fitted.casefold(), left.casefold()
    for name, mark in MARKED.items():
        assert once.count(mark) + once.count(name) == before.count(name)
    for filler in ("um", "uh", "äh"):
        assert once.count(filler) <= before.count(filler)
        assert rules.is_without_fillers or once.count(filler) == before.count(filler)
    phrases = [one.casefold() for one in PHRASES]
    for phrase in ("two", *MARKED, *phrases):
        before = before.replace(phrase, "")
    for phrase in ("two", *MARKED, *MARKED.values(), *phrases):
        once = once.replace(phrase, "")
    fillers = re.compile("um|uh|äh")
    assert letters(fillers.sub("", once)) == letters(fillers.sub("", before))
    assert heard(text, rules, language) == found
