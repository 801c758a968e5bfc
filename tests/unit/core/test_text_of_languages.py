"""Words, capitals, hesitations and quotation marks in the languages that the model knows."""

# ruff: noqa: RUF001  the punctuation of many scripts is the subject

import re

import pytest

from handy_qwen.core.orthography import ends_sentence, gap, join, large
from handy_qwen.core.text import Replacement, TextRules, clean, fit
from handy_qwen.languages import UNSPACED_CLASS, is_unspaced

PLAIN = TextRules()


@pytest.mark.parametrize(
    ("heard", "text", "is_found"),
    [
        ("बात", "यह बात है", True),
        ("बात", "यह बातें हैं", False),  # the vowel sign belongs to the word
        ("की", "राम की किताब", True),
        ("cafe", "a cafe\u0301 here", False),
        ("café", "a cafe\u0301 here", True),
        ("cafe\u0301", "a café here", True),
        ("cafe", "a cafe here", True),
        ("서울", "서울에서 왔어요", True),
        ("서울", "나는 서울을 좋아해", True),
        ("서울", "대서울 지도", False),
        ("Python", "Python을 배워요", True),
        ("昆恩", "我用昆恩模型", True),
        ("Python", "我用Python模型", True),
        ("東京", "私は東京へ行きます", True),
        ("カ", "カ\u3099イド", False),  # NFC: ガ is another letter
        ("กรุงเทพ", "ฉันอยู่กรุงเทพครับ", True),
        ("ก", "กิน", False),  # its vowel would be left behind
        ("ວຽງຈັນ", "ຢູ່ວຽງຈັນ", True),
        ("ភ្នំពេញ", "នៅភ្នំពេញ", True),
        ("ရန်ကုန်", "ရန်ကုန်မှာ", True),
        ("كتاب", "هذا كتاب جديد", True),
        ("كتاب", "هذا الكتاب جديد", False),  # prefixes are part of the word
        ("كتاب", "هذا كتابٌ جديد", False),
        ("בית", "זה בית גדול", True),
        ("בית", "אני בבית", False),
        ("می", "می\u200cخواهم", False),  # a joiner holds a word together
        ("Nguyễn", "anh Nguye\u0302\u0303n Văn", True),
        ("ma", "má ơi", False),
        ("istanbul", "İstanbul'da hava", True),
        ("Ankara", "Ankara'ya gittim", True),
        ("Москва", "Москва красивая", True),
        ("Моск", "Москва красивая", False),
        ("don't", "I don’t know", True),
        ("Anna", "Anna's house", True),
        ("an", "Anna", False),
        ("5", "15 and 5%", True),
        ("5", "15", False),
        ("5", "5, 6", True),
        ("5", "at 5:30", False),
        ("30", "at 5:30", False),
        ("3", "3.5", False),
        (".", "3.5", False),
        ("10", "10,000", False),
        ("anna", "anna@example.com", False),
        ("example", "anna@example.com", False),
        ("don", "I don't", False),
        ("Don", "Don's house", True),
        ("eau", "l’eau", True),
        ("צה", 'צה"ל כאן', False),
        ("כן", 'הוא אמר "כן"', True),
        ("שלום", "\u200fשלום\u200f עולם", True),
        ("👩", "👩🏽\u200d💻 here", False),
        ("👍", "👍🏽 here", False),
        ("👍", "👍 here", True),
        ("straße", "STRAẞE", True),
        ("ışık", "IŞIK", True),
        ("οδος", "ΟΔΟΣ", True),
    ],
)
def test_whole_words_are_found_in_every_script(heard, text, is_found):
    rules = TextRules(replacements=(Replacement(heard, "☆star"),))
    assert ("☆" in clean(text, rules, "")) is is_found


def test_an_accent_written_apart_is_neither_lost_nor_left_over():
    rules = TextRules(replacements=(Replacement("café", "bar"),))
    assert clean("the cafe\u0301 there", rules, "English") == "the bar there"


@pytest.mark.parametrize(
    ("language", "before", "after", "joined"),
    [
        # names, weekdays and months keep their capital, ordinary words lose it
        ("English", "I met", "Anna yesterday.", "I met Anna yesterday."),
        ("English", "I met her on", "Monday.", "I met her on Monday."),
        ("English", "we begin in", "May.", "we begin in May."),
        ("English", "I met", "The dog.", "I met the dog."),
        ("English", "he went to", "The Hague.", "he went to The Hague."),
        ("English", "we know that", "It's late.", "we know that it's late."),
        ("English", "and", "I'm here", "and I'm here"),
        ("English", "and", "I think", "and I think"),
        ("English", "then", "Will came", "then Will came"),
        ("English", "but", "US law", "but US law"),
        ("English", "and", "IT works", "and IT works"),
        ("English", "part", "A. Smith", "part A. Smith"),
        ("English", "see", "A/B tests", "see A/B tests"),
        ("English", "he asked:", "Where is it?", "he asked: Where is it?"),
        ("German", "das", "Haus ist alt", "das Haus ist alt"),
        ("German", "ich weiß", "Dass er kommt", "ich weiß dass er kommt"),
        ("German", "und", "Sie kommen", "und Sie kommen"),
        ("German", "weil", "Der Hund bellt", "weil der Hund bellt"),
        ("French", "je vois", "L'homme", "je vois l'homme"),
        ("French", "je suis", "À Paris", "je suis à Paris"),
        ("French", "je vois", "Le Monde", "je vois Le Monde"),
        ("French", "avec", "D'Artagnan", "avec D'Artagnan"),
        ("Spanish", "vivo en", "Los Angeles", "vivo en Los Angeles"),
        ("Spanish", "creo", "Que sí", "creo que sí"),
        ("Portuguese", "eu acho", "Que sim", "eu acho que sim"),
        ("Italian", "penso", "Che sia", "penso che sia"),
        ("Italian", "lui", "E lei", "lui e lei"),
        ("Dutch", "ik denk", "Dat het", "ik denk dat het"),
        ("Dutch", "in", "Den Haag", "in Den Haag"),
        ("Dutch", "dat is", "Van Gogh", "dat is Van Gogh"),
        ("Italian", "ecco", "Da Vinci", "ecco Da Vinci"),
        ("German", "sagt", "Von der Leyen", "sagt Von der Leyen"),
        ("Swedish", "jag tror", "Att det", "jag tror att det"),
        ("Danish", "og", "I kommer", "og I kommer"),  # "you" has a capital
        ("Finnish", "luulen", "Että se", "luulen että se"),
        ("Polish", "myślę", "Że tak", "myślę że tak"),
        ("Czech", "myslím", "Že ano", "myslím že ano"),
        ("Romanian", "cred", "Că da", "cred că da"),
        ("Hungarian", "azt hiszem", "Hogy igen", "azt hiszem hogy igen"),
        ("Turkish", "ben", "Ve sen", "ben ve sen"),
        ("Turkish", "otobüs", "İle geldim", "otobüs ile geldim"),
        ("Turkish", "şimdi", "Irmak geldi", "şimdi Irmak geldi"),
        ("Greek", "νομίζω", "Ότι ναι", "νομίζω ότι ναι"),
        ("Russian", "я думаю", "Что да", "я думаю что да"),
        ("Russian", "я знаю", "Вы правы", "я знаю Вы правы"),
        ("Macedonian", "мислам", "Дека да", "мислам дека да"),
        ("Indonesian", "saya pikir", "Dan itu", "saya pikir dan itu"),
        ("Vietnamese", "tôi", "Và bạn", "tôi và bạn"),
        ("Filipino", "ako", "At ikaw", "ako at ikaw"),
        ("Klingon", "one", "The two", "one The two"),
        # sentences end in many ways
        ("Greek", "τι κάνεις;", "Και εσύ;", "τι κάνεις; Και εσύ;"),
        ("Greek", "τι κάνεις\u037e", "Και εσύ;", "τι κάνεις\u037e Και εσύ;"),
        ("English", "one;", "The two", "one; the two"),
        ("Arabic", "كيف حالك؟", "أنا بخير", "كيف حالك؟ أنا بخير"),
        ("Hindi", "मैं ठीक हूँ।", "आप कैसे हैं?", "मैं ठीक हूँ। आप कैसे हैं?"),
        ("Persian", "حال شما چطور است؟", "خوبم", "حال شما چطور است؟ خوبم"),
        ("Korean", "서울", "에서", "서울 에서"),
        ("Chinese", "他说。", "好的。", "他说。好的。"),
        ("Cantonese", "佢話", "好呀", "佢話好呀"),
        ("Japanese", "今日は", "いい天気", "今日はいい天気"),
        ("Thai", "สวัสดี", "ครับ", "สวัสดีครับ"),
        ("Thai", "ผมใช้", "Python", "ผมใช้ Python"),
        ("Thai", "Python", "ดี", "Python ดี"),
        ("Chinese", "我用", "Python", "我用Python"),
        ("Japanese", "ﾊﾛｰ", "ﾜｰﾙﾄﾞ", "ﾊﾛｰﾜｰﾙﾄﾞ"),
        # quotation marks
        ("English", 'He said "', "Yes.", 'He said "Yes.'),
        ("English", 'He said "yes."', "Then", 'He said "yes." Then'),
        ("English", "He said", '"yes"', 'He said "yes"'),
        ("English", 'He said "yes', '" and left', 'He said "yes" and left'),
        ("English", "He said “", "Yes.", "He said “Yes."),
        ("English", "He said “yes.”", "Then", "He said “yes.” Then"),
        ("English", "He said", "“yes”", "He said “yes”"),
        ("English", "the dog", "'s house", "the dog's house"),
        ("English", "He said", "'yes'", "He said 'yes'"),
        ("German", "Er sagte „", "Und ja", "Er sagte „Und ja"),
        ("German", "Er sagte „ja“", "Und ging", "Er sagte „ja“ und ging"),
        ("German", "Er sagte", "„ja“", "Er sagte „ja“"),
        ("German", "sie sagt »", "Und ja«", "sie sagt »Und ja«"),
        ("German", "sie sagt »ja«", "Und geht", "sie sagt »ja« und geht"),
        ("French", "il dit «", "Et oui", "il dit «\u202fEt oui"),
        ("French", "il dit « oui", "» et", "il dit « oui\u202f» et"),
        ("French", "il dit « oui »", "Et part", "il dit « oui » et part"),
        ("French", "Bonjour", "?", "Bonjour\u202f?"),
        ("Russian", "он сказал «да»", "И ушёл", "он сказал «да» и ушёл"),
        ("Finnish", "hän sanoi", "”kyllä”", "hän sanoi ”kyllä”"),
        ("Swedish", "hon sa ”", "Ja", "hon sa ”Ja"),
        ("Chinese", "他说「", "好", "他说「好"),
        ("Chinese", "他说“", "好", "他说“好"),
        ("Spanish", "él dijo", "¿Qué?", "él dijo ¿Qué?"),
        # punctuation and code
        ("English", "use", ".NET", "use .NET"),
        ("English", "great", ":) yes", "great :) yes"),
        ("English", "5", "% of it", "5% of it"),
        ("English", "and/", "Or", "and/or"),
        ("English", "see https://example.com/", "The dog", "see https://example.com/ the dog"),
        ("English", "in /home/anna/", "The dog", "in /home/anna/ the dog"),
        ("English", "https://", "example.com", "https://example.com"),
        ("English", "(and/", "Or", "(and/or"),
        ("English", "rock", "’n’ roll", "rock ’n’ roll"),
        ("English", "the", "’90s", "the ’90s"),
        ("Dutch", "en", "’s avonds", "en ’s avonds"),
        ("English", "he said “it’s ‘so", "’ and left", "he said “it’s ‘so’ and left"),
        ("Hebrew", 'צה"ל הודיע', '"כן"', 'צה"ל הודיע "כן"'),
        ("Hebrew", 'הוא אמר "צה"ל', '" והלך', 'הוא אמר "צה"ל" והלך'),
        ("Hebrew", "הוא אמר ״", "כן״", "הוא אמר ״כן״"),
        ("Hebrew", "ארה״ב אמרה", "״כן״", "ארה״ב אמרה ״כן״"),
        ("Chinese", '他说"你', '"然后', '他说"你"然后'),
        ("English", "- ", "The dog", "- The dog"),
        ("English", "yes:\n1) ", "The dog", "yes:\n1) The dog"),
        ("English", "(", "The dog", "(the dog"),
        ("Dutch", "en", "'t is", "en 't is"),
        ("Arabic", "نعم \u200f", "لا", "نعم \u200fلا"),
        ("Arabic", "نعم", "\u200f؟", "نعم\u200f؟"),
        ("English", "one.\u200e", "The dog", "one.\u200e The dog"),
        ("English", "one", ", and", "one, and"),
        ("English", "one", "...", "one..."),
    ],
)
def test_a_text_continues_the_one_before_as_its_language_does(language, before, after, joined):
    assert before + fit(after, PLAIN, before, language) == joined


def test_the_users_own_words_keep_their_capital():
    rules = TextRules(custom_words=("The Who", "And"), replacements=(Replacement("so", "So What"),))
    assert fit("The Who play", rules, "tonight", "English") == " The Who play"
    assert fit("And I", rules, "one", "English") == " And I"
    assert fit("So What is", rules, "one", "English") == " So What is"
    assert fit("Él", TextRules(custom_words=("E\u0301l",)), "sí", "Spanish") == " Él"
    assert fit("So it is", rules, "one", "English") == " so it is"


@pytest.mark.parametrize(
    ("language", "text", "result"),
    [
        ("English", "Well, um, I think", "Well, I think"),
        ("English", "I um think", "I think"),
        ("English", "Um, so we think.", "So we think."),
        ("English", "Yes. Um, i think.", "Yes. I think."),
        ("English", "Yes. Um. No.", "Yes. No."),
        ("English", "Um.", ""),
        ("English", "uh-huh, the um-thing", "uh-huh, the um-thing"),
        ("English", "so\num, then", "so\nThen"),
        ("Portuguese", "um dia", "um dia"),
        ("German", "Ähm, das ist äh gut.", "Das ist gut."),
        ("Japanese", "えーと、今日はいい天気です。あのー、はい", "今日はいい天気です。はい"),
        ("Chinese", "呃，我觉得可以", "我觉得可以"),
        ("Klingon", "um", "um"),
        ("English", "The ER doctor", "The ER doctor"),
        ("English", "ER is on", "ER is on"),
        ("English", "an HMM model, hmm, fine", "an HMM model, fine"),
        ("English", "Um Kulthum sang", "Um Kulthum sang"),
        ("English", "I um, think", "I think"),
        ("English", "Er, I think", "I think"),
        ("English", "Well, um I think", "Well, I think"),
        ("English", "I think, um.", "I think."),
        ("English", "I, um, uh, think, er, so", "I, think, so"),
        ("English", "Hm? Yes", "Hm? Yes"),
        ("English", "Um, iPhone", "iPhone"),
        ("English", "“Um, yes,” he said", "“Yes,” he said"),
        ("German", "Um zehn ist er da", "Um zehn ist er da"),
        ("German", "Es ist, äh, um zehn", "Es ist, um zehn"),
        ("Portuguese", "Um dia, hum, talvez", "Um dia, talvez"),
        ("Dutch", "Er is, eh, niets", "Er is, niets"),
        ("French", "Euh, je pense", "Je pense"),
        ("Turkish", "Eee, istanbul", "İstanbul"),
        ("Russian", "Э, я думаю, э-э, да", "Я думаю, да"),
        ("Russian", "буква э здесь", "буква э здесь"),
        ("Korean", "음, 그래요", "그래요"),
        ("Korean", "음악이 좋아요", "음악이 좋아요"),
        ("Chinese", "呃，我觉得，呃，可以", "我觉得，可以"),
        ("Chinese", "呃逆很烦", "呃逆很烦"),
        ("Japanese", "今日は、えーと、いい天気", "今日は、いい天気"),
        ("Swedish", "Jag, öh, vet", "Jag, vet"),
        ("English,German", "Um, ja", "Um, ja"),
        ("", "Um, yes", "Um, yes"),
        ("English", "write to er@example.com, um, now", "write to er@example.com, now"),
        ("English", "see um.edu", "see um.edu"),
        ("English", "um/er", "um/er"),
        ("English", "5 um thick", "5 um thick"),
        ("English", "I said “um”.", "I said “um”."),
        ("English", "“Um,” he said.", "“Um,” he said."),
        ("English", "e.g. um apples", "e.g. apples"),
        ("English", "yes — um — no", "yes — no"),
        ("English", "I know, um", "I know"),
        ("English", "I, um uh think", "I, think"),
        ("Korean", "어.", "어."),  # "yes" among friends
        ("Japanese", "えっとですね、はい", "はい"),
    ],
)
def test_only_hesitations_of_the_language_are_taken_out(language, text, result):
    assert clean(text, TextRules(is_without_fillers=True), language) == result
    assert clean(text, PLAIN, language) == text


def test_a_hesitation_stays_where_it_is_a_word_of_the_user():
    rules = TextRules(is_without_fillers=True, custom_words=("um", "Hm"))
    assert clean("Well, um, uh, Hm, yes", rules, "English") == "Well, um, Hm, yes"
    replacements = (Replacement("uh huh", "yes"), Replacement("new line", "\n"), Replacement("erm", "ERM"))
    rules = TextRules(replacements=replacements, is_without_fillers=True)
    assert clean("He said uh huh, uh, and erm", rules, "English") == "He said yes, and ERM"
    assert clean("One new um line two", rules, "English") == "One\nTwo"


@pytest.mark.parametrize("end", [*"։؟۔।॥။។።。．！‼", ".”", ".)"])
def test_sentences_end_with_the_marks_of_their_script(end):
    assert ends_sentence(f"a{end}")


def test_sentences_end_with_the_marks_of_their_language():
    assert all(map(ends_sentence, ["τι;", "“a.”", "„a.“", "「a。」"]))
    assert not ends_sentence("a;")


@pytest.mark.parametrize(
    ("language", "text", "result"),
    [
        ("Turkish", "istanbul", "İstanbul"),
        ("Turkish", "ırmak", "Irmak"),
        ("Dutch", "ijs", "IJs"),
        ("English", "x86 code", "x86 code"),
        ("English", "a@b.c", "a@b.c"),
        ("German", "ß", "ß"),
        ("Greek", "έλα", "Έλα"),
        ("Georgian", "ა", "ა"),
    ],
)
def test_letters_become_large_as_the_language_has_it(language, text, result):
    assert large(text, language) == result


def test_texts_are_joined_in_the_manner_of_their_language():
    assert join(["Oui", "?", "Non"], "French") == "Oui\u202f? Non"
    assert join(["„Ja“", "sagt er"], "German") == "„Ja“ sagt er"
    assert gap("a", "\u0301") == ""


def test_there_is_one_table_of_scripts_without_spaces():
    for character in "กလກကប、あアー漢﨑ｶ！𠮷":
        assert is_unspaced(character), character
        assert re.fullmatch(f"[{UNSPACED_CLASS}]", character)
    for character in "aяαא ع한ㄱᄀﾡद1 ,’":
        assert not is_unspaced(character), character
