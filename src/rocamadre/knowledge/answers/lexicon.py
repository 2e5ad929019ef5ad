"""Words that say what a question asks for, and words that hold sentences together: English, Spanish, Portuguese."""

from __future__ import annotations

FUNCTION_WORDS = {
    "en": "the a an of in on at to for from with by as and or but that which who whom whose is are was were be been "
    "being has have had do does did not no it its he she they them their his her this these those than then so if "
    "when while after before during between among into onto over under about around through within without because "
    "due called named known such also more most less least only both each other some many any all can could may "
    "might will would shall should must there where how what why until since like per via near nearly almost "
    "approximately up out off down against",
    "es": "el la los las un una unos unas lo de del en a al para por con como y e o u pero que quien quienes cual cuyo "
    "cuya es son era eran fue fueron ser sido siendo ha han había habían hay no ni se su sus él ella ellos ellas este "
    "esta estos estas ese esa esos esas aquel entonces si cuando mientras después antes durante entre hasta hacia "
    "sobre bajo desde sin según tras porque debido llamado llamada conocido conocida también más menos muy sólo solo "
    "ambos cada otro otra otros otras algunos muchos todo todos toda todas puede podría donde cómo qué casi "
    "aproximadamente unos alrededor contra le les nos me te ya",
    "pt": "o a os as um uma uns umas de do da dos das em no na nos nas ao aos à às para por pelo pela pelos pelas com "
    "como e ou mas que quem qual quais cujo cuja é são era eram foi foram ser sido sendo há tem têm tinha havia não "
    "nem se seu sua seus suas ele ela eles elas este esta estes estas esse essa esses essas aquele então quando "
    "enquanto depois antes durante entre até sobre sob desde sem segundo após porque devido chamado chamada conhecido "
    "conhecida também mais menos muito só apenas ambos cada outro outra outros outras alguns muitos todo todos toda "
    "todas pode podia onde quase aproximadamente cerca contra lhe lhes já num numa",
}
FUNCTION_SETS = {language: frozenset(words.split()) for language, words in FUNCTION_WORDS.items()}

KINDS = ("person", "place", "time", "number", "reason", "manner", "thing", "other")

QUESTION_WORDS: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (
        (r"\bwho(?:m|se)?\b", "person"),
        (r"\bhow (?:many|much|often|old|far|tall|large|big|fast|high|deep|heavy)\b", "number"),
        (r"\bhow long\b", "number"),
        (r"\bwhen\b", "time"),
        (r"\bwhere\b", "place"),
        (r"\bwhy\b|\bfor what reason\b", "reason"),
        (r"\bhow\b", "manner"),
        (r"\bwhat|\bwhich|\bname\b", "thing"),
    ),
    "es": (
        (r"\bqui[eé]n(?:es)?\b", "person"),
        (r"\bcu[aá]nt[oa]s?\b|\bqu[eé] (?:tan|edad)\b", "number"),
        (r"\bcu[aá]ndo\b", "time"),
        (r"\bd[oó]nde\b|\bad[oó]nde\b", "place"),
        (r"\bpor qu[eé]\b", "reason"),
        (r"\bc[oó]mo\b", "manner"),
        (r"\bqu[eé]\b|\bcu[aá]l(?:es)?\b", "thing"),
    ),
    "pt": (
        (r"\bquem\b", "person"),
        (r"\bquant[oa]s?\b", "number"),
        (r"\bquando\b", "time"),
        (r"\bonde\b|\baonde\b", "place"),
        (r"\bpor ?qu[eê]\b", "reason"),
        (r"\bcomo\b", "manner"),
        (r"\bque\b|\bo qu[eê]\b|\bqua(?:l|is)\b", "thing"),
    ),
}

HEADS: dict[str, frozenset[str]] = {
    "time": frozenset(
        "year years date month day days century decade era period time season year's age "
        "año años fecha mes día días siglo década época período periodo hora temporada "
        "ano anos data mês dia dias século época tempo temporada".split()
    ),
    "place": frozenset(
        "city country state place location region town village continent province county district river sea ocean "
        "island mountain street area nation territory "
        "ciudad país estado lugar ubicación región pueblo provincia condado distrito río mar océano isla montaña calle "
        "zona territorio cidade local região aldeia província rio oceano ilha montanha rua área território".split()
    ),
    "person": frozenset(
        "person president king queen author leader scientist actor singer emperor pope man woman writer director "
        "player architect philosopher mathematician composer general "
        "persona presidente rey reina autor líder científico actor cantante emperador papa hombre mujer escritor "
        "pessoa rei rainha cientista ator cantor imperador homem mulher escritor diretor jogador arquiteto".split()
    ),
    "number": frozenset(
        "percentage percent number amount price population cost rate total size length height width weight distance "
        "speed temperature score quantity value "
        "porcentaje número cantidad precio población costo coste tasa tamaño longitud altura ancho peso distancia "
        "velocidad temperatura puntuación valor percentagem porcentagem quantidade preço população custo taxa "
        "tamanho comprimento largura velocidade".split()
    ),
}

MONTHS = frozenset(
    "january february march april may june july august september october november december monday tuesday wednesday "
    "thursday friday saturday sunday enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre "
    "diciembre lunes martes miércoles jueves viernes sábado domingo janeiro fevereiro março maio junho julho setembro "
    "outubro novembro dezembro segunda-feira terça-feira quarta-feira quinta-feira sexta-feira".split()
)
NUMBER_WORDS = frozenset(
    "one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred thousand million "
    "billion dozen first second third half quarter twice "
    "uno dos tres cuatro cinco seis siete ocho nueve diez once doce veinte treinta cuarenta cincuenta cien ciento mil "
    "millón millones primero primera segundo segunda tercero tercera mitad "
    "um dois duas três quatro sete oito nove dez onze doze vinte trinta quarenta cinquenta cem cento milhão milhões "
    "bilhão bilhões primeiro primeira terceiro metade".split()
)
TIME_WORDS = frozenset(
    "century centuries decade year years month months day days hours minutes week weeks bc ad siglo siglos década año "
    "años mes meses día días horas minutos semana semanas século séculos ano anos mês dia dias ac dc a.c d.c".split()
)
CAUSE_WORDS = frozenset("because due since so to order para porque debido ya devido pois por causa razón razão".split())

FOLLOW_UPS = frozenset(
    "it its he she they them their his her him this that these those there one ones él ella ellos ellas eso esa ese "
    "esto esta este estos estas esos esas allí ahí su sus lo le les ele ela eles elas isso isto esse essa este esta "
    "esses essas lá ali seu sua seus suas dele dela deles delas nele nela".split()
)
OPENERS = {
    "en": r"^(?:and|but|so|also|what about|how about|then)\b",
    "es": r"^(?:y|e|pero|también|entonces|¿?y qué hay de|qué tal)\b",
    "pt": r"^(?:e|mas|também|então|e quanto a)\b",
}

NOT_FOUND = {
    "en": "I could not find an exact answer to the question in the search results.",
    "es": "No he encontrado una respuesta exacta a la pregunta en los resultados de la búsqueda.",
    "pt": "Não encontrei uma resposta exata à pergunta nos resultados da pesquisa.",
}
"""What is said when chunks were found but do not hold the answer; the default template asks models for the same."""
NOTHING = "Sorry, I am unable to assist you with this request."
"""What is said when nothing was found at all: Amazon Bedrock's own sentence, for which clients look."""
