"""Words that bear on truth in English, Spanish and Portuguese: small words, negators, numbers, months, opposites."""

from __future__ import annotations

from functools import cache

from rocamadre.guardrails.folding import without_accents

SMALL: dict[str, frozenset[str]] = {
    "en": frozenset(
        (
            "a about after again all also am an and any are as at be because been before being between both but "
            "by can could did do does doing during each either else even for from further had has have having he "
            "her here hers him himself his how however i if in into is it its itself just let may me might more "
            "most much must my of off on once only onto or other our out over own per quite rather s same shall "
            "she should since so some such than that the their them then there therefore these they this those "
            "though through thus to too under until up upon us very was we were what when where whether which "
            "while who whom whose why will with within would yet you your answer"
        ).split()
    ),
    "es": frozenset(
        (
            "a al algo alguna algunas alguno algunos algun ante antes aquel aquella aquellos aqui asi aun aunque "
            "bajo cada casi como con contra cual cuales cualquier cuando cuanto cuya cuyas cuyo cuyos cuantas "
            "cuanta cuantos de del desde donde durante e el ella ellas ello ellos en entonces entre era eran "
            "eres es esa esas ese eso esos esta estaba estaban estado estar estas este esto estos estan fue "
            "fueron ha habido habia habian hace hacia han has hasta hay he hubo incluso la las le les lo los "
            "luego mas me mi mientras mis mucha muchas mucho muchos muy nos nosotros nuestra nuestro o os otra "
            "otras otro otros para pero poco por porque pues que quien quienes se sea sean segun ser si sido "
            "siempre sino sobre solo somos son soy su sus suya suyo tal tales tambien tan tanta tanto te tener "
            "tenia tiene tienen toda todas todo todos tras tu tus u un una unas uno unos usted ustedes y ya yo "
            "respuesta"
        ).split()
    ),
    "pt": frozenset(
        (
            "a agora ainda algo algum alguma algumas alguns ali ambos ante antes ao aos apenas apos aquela "
            "aquelas aquele aqueles aqui aquilo as assim atraves ate bem cada com como contra contudo cuja cujas "
            "cujo cujos da das de dela delas dele deles depois desde dessa dessas desse desses desta destas "
            "deste destes do dos durante e ela elas ele eles em embora enquanto entre era eram essa essas esse "
            "esses esta estao estamos estar estas estava estavam este esteja estes esteve estou eu foi for foram "
            "fosse fui ha isso isto ja la lhe lhes logo mais mas me meio menos mesma mesmo meu minha muita "
            "muitas muito muitos na nas nessa nesse nesta neste no nos nossa nosso num numa o onde os ou outra "
            "outras outro outros para pela pelas pelo pelos per pois por porque portanto porem pouco quais qual "
            "qualquer quando quanta quantas quanto quantos que quem se seja sejam sempre sendo ser sera seu seus "
            "si sido sob sobre sua suas so tais tal tambem tanto te tem tendo tenha ter teve tinha tinham toda "
            "todas todo todos tudo um uma umas uns voce voces vos a as resposta"
        ).split()
    ),
}
"""Words that carry no claim of their own; without accents. Negators are not among them."""

NEGATORS: dict[str, frozenset[str]] = {
    "en": frozenset("not no never none neither nor without cannot nobody nothing hardly nowhere".split()),
    "es": frozenset("no nunca jamas sin ni ningun ninguna ninguno ningunos nadie nada tampoco".split()),
    "pt": frozenset("nao nunca jamais sem nem nenhum nenhuma nenhuns ninguem nada tampouco".split()),
}
MONTHS = {
    word: f"#m{number}"
    for names in (
        "january february march april may june july august september october november december",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro",
    )
    for number, word in enumerate(names.split(), 1)
    if word not in {"may", "march"}
}
_COUNTS = {
    2: "two dos dois duas",
    3: "three tres",
    4: "four cuatro quatro",
    5: "five cinco",
    6: "six seis",
    7: "seven siete sete",
    8: "eight ocho oito",
    9: "nine nueve nove",
    10: "ten diez dez",
    11: "eleven once onze",
    12: "twelve doce doze",
    13: "thirteen trece treze",
    14: "fourteen catorce quatorze catorze",
    15: "fifteen quince quinze",
    16: "sixteen dieciseis dezesseis dezasseis",
    17: "seventeen diecisiete dezessete dezassete",
    18: "eighteen dieciocho dezoito",
    19: "nineteen diecinueve dezenove dezanove",
    20: "twenty veinte vinte",
    30: "thirty treinta trinta",
    40: "forty cuarenta quarenta",
    50: "fifty cincuenta cinquenta",
    60: "sixty sesenta sessenta",
    70: "seventy setenta",
    80: "eighty ochenta oitenta",
    90: "ninety noventa",
    100: "hundred cien ciento cem cento",
    1000: "thousand mil",
}
COUNTS: dict[str, str] = {word: f"#{number}" for number, words in _COUNTS.items() for word in words.split()}
"""Number words as numbers. `dos` is a small word in Portuguese and `once` one in English: see `number_word`."""
SCALES = {
    word: sign
    for sign, words in (
        ("#million", "million millions millon millones milhao milhoes"),
        ("#billion", "billion billions bilhao bilhoes"),
        ("#percent", "percent % porciento"),
    )
    for word in words.split()
}

_OPPOSITES = {
    "en": (
        "increase decrease,rise fall,rose fell,grow shrink,high low,higher lower,highest lowest,large small,"
        "larger smaller,largest smallest,big small,first last,early late,earlier later,old new,oldest newest,"
        "before after,begin end,began ended,start finish,started finished,open close,opened closed,win lose,won "
        "lost,accept reject,accepted rejected,allow forbid,allowed forbidden,allow prohibit,include exclude,more "
        "less,most least,always never,above below,inside outside,north south,northern southern,east west,eastern "
        "western,left right,male female,man woman,men women,public private,major minor,majority minority,"
        "positive negative,support oppose,supported opposed,strong weak,rich poor,hot cold,fast slow,long short,"
        "true false,success failure,succeed fail,succeeded failed,legal illegal,possible impossible,maximum "
        "minimum,enter leave,buy sell,bought sold,give take,love hate,many few,upper lower,father mother,king "
        "queen,day night,import export,attack defend,create destroy,created destroyed,common rare,easy difficult,"
        "alive dead,born died,arrive depart,enable disable"
    ),
    "es": (
        "aumentar disminuir,aumento disminucion,subir bajar,crecer menguar,alto bajo,alta baja,mayor menor,"
        "grande pequeno,grande pequena,primero ultimo,primera ultima,temprano tarde,viejo nuevo,antiguo moderno,"
        "antes despues,empezar terminar,comenzo termino,inicio fin,abrir cerrar,abierto cerrado,ganar perder,"
        "gano perdio,aceptar rechazar,acepto rechazo,permitir prohibir,permitido prohibido,incluir excluir,mas "
        "menos,siempre nunca,encima debajo,dentro fuera,norte sur,este oeste,oriental occidental,izquierda "
        "derecha,hombre mujer,hombres mujeres,publico privado,publica privada,mayoria minoria,positivo negativo,"
        "apoyar oponer,apoyo rechazo,fuerte debil,rico pobre,caliente frio,rapido lento,largo corto,verdadero "
        "falso,exito fracaso,legal ilegal,posible imposible,maximo minimo,entrar salir,comprar vender,dar quitar,"
        "amar odiar,muchos pocos,superior inferior,padre madre,rey reina,dia noche,importar exportar,atacar "
        "defender,crear destruir,comun raro,facil dificil,vivo muerto,nacio murio,llegar partir"
    ),
    "pt": (
        "aumentar diminuir,aumento diminuicao,subir descer,crescer encolher,alto baixo,alta baixa,maior menor,"
        "grande pequeno,grande pequena,primeiro ultimo,primeira ultima,cedo tarde,velho novo,antigo moderno,"
        "antes depois,comecar terminar,comecou terminou,inicio fim,abrir fechar,aberto fechado,ganhar perder,"
        "ganhou perdeu,aceitar rejeitar,aceitou rejeitou,permitir proibir,permitido proibido,incluir excluir,"
        "mais menos,sempre nunca,acima abaixo,dentro fora,norte sul,leste oeste,oriental ocidental,esquerda "
        "direita,homem mulher,homens mulheres,publico privado,publica privada,maioria minoria,positivo negativo,"
        "apoiar opor,apoio rejeicao,forte fraco,rico pobre,quente frio,rapido lento,longo curto,verdadeiro falso,"
        "sucesso fracasso,legal ilegal,possivel impossivel,maximo minimo,entrar sair,comprar vender,dar tirar,"
        "amar odiar,muitos poucos,superior inferior,pai mae,rei rainha,dia noite,importar exportar,atacar "
        "defender,criar destruir,comum raro,facil dificil,vivo morto,nasceu morreu,chegar partir"
    ),
}

ASKS: dict[str, tuple[str, ...]] = {
    "number": (
        *("how many", "how much", "how long", "how old", "how far", "what percentage", "what percent"),
        *("what year", "which year", "when", "what date", "what day", "what century", "what number"),
        *("cuanto", "cuanta", "cuantos", "cuantas", "cuando", "que ano", "que fecha", "que porcentaje", "que siglo"),
        *("quanto", "quanta", "quantos", "quantas", "quando", "que data", "que porcentagem", "que seculo", "que dia"),
    ),
    "name": (
        *("who", "whom", "whose", "where", "which country", "which city", "what country", "what city", "what name"),
        *("quien", "quienes", "donde", "que pais", "que ciudad", "quem", "onde", "que cidade", "como se llama"),
    ),
}
"""Beginnings of questions, without accents, by what answers them."""

YES_OR_NO = frozenset("yes no yeah yep nope si sim nao".split())
"""Words that alone answer a question, without accents; of all languages, as one word does not tell its own."""
INTERROGATIVES = frozenset(
    (
        "what which who whom whose when where why how que quien quienes cual cuales cuando donde adonde como cuanto "
        "cuanta cuantos cuantas quem qual quais quando onde aonde quanto quanta quantos quantas porque"
    ).split()
)
"""Words with which other questions begin, after at most a preposition or an article, without accents."""


def opposites(language: str) -> dict[str, frozenset[str]]:
    """Words and their opposites in a language, both ways, without accents."""
    found: dict[str, set[str]] = {}
    for pair in filter(None, _OPPOSITES.get(language, "").split(",")):
        left, right = pair.split()
        found.setdefault(left, set()).add(right)
        found.setdefault(right, set()).add(left)
    return {word: frozenset(others) for word, others in found.items()}


def number_word(word: str, language: str) -> str:
    """The sign of a number word, scale or month, without accents; empty if it is none in this language.

    >>> number_word("doce", "es"), number_word("dos", "pt"), number_word("março", "pt")
    ('#12', '', '#m3')
    """
    bare = without_accents(word)
    if (bare == "dos" and language != "es") or (bare == "once" and language != "es"):
        return ""
    if (bare == "marco" and word != "março") or (bare in {"sete", "cento"} and language == "en"):
        return ""
    return COUNTS.get(bare) or MONTHS.get(bare) or SCALES.get(bare, "")


@cache
def guess_words() -> dict[str, frozenset[str]]:
    """Small words that only one of the languages has, or that weigh for it."""
    return {
        "en": frozenset("the and is are was were of to in that it for with not have by on which from".split()),
        "es": frozenset("el los las y es son fue en una con por para del se su más pero como está al lo la".split()),
        "pt": frozenset("o os as e é são foi em uma com por para do da no na dos das se seu mais mas não ao".split()),
    }
