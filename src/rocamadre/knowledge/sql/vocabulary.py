"""Words of questions to databases: what asks for a count, an average, an order; English, Spanish, Portuguese."""

from __future__ import annotations

import re

OPERATORS: tuple[tuple[str, str], ...] = (
    (r"(?:(?:the )?(?:most|(?:greatest|highest|largest)(?: number| amount) of)(?= \w+)"
     r"(?! (?:popul|rec|expens|pobl|caro))|"
     r"m[aá]s(?= \w+)(?! (?:de|que|gran|alt|larg|vie|jov|pobl|car|recien|bar))|"
     r"mais(?= \w+)(?! (?:de|do que|que|alt|long|vel|jov|pop|car|rec|bar)))", "most-of"),
    (r"(?:the )?(?:fewest|least number of|smallest number of|lowest number of)", "least-of"),
    (r"without(?: any)?|(?:have|has|had|having) no|(?:do|does|did|have|has) not have(?: any)?|sin|sem", "without"),
    (r"contain(?:s|ing)?|includ(?:es|ing)|substring|the (?:word|letter)|contienen?|cont[eé]m", "like"),
    (r"how many different|number of (?:different|distinct|unique)|cu[aá]nt[oa]s .{0,20}?(?:diferentes|distint[oa]s)|"
     r"quant[oa]s .{0,20}?diferentes", "count-distinct"),
    (r"how many|(?:the )?(?:total )?number of|count (?:of|the)?|cu[aá]nt[oa]s|"
     r"(?:el )?n[uú]mero (?:total )?de|cantidad de|"
     r"quant[oa]s|quantidade de", "count"),
    (r"average|mean|avg|promedi[oa]s?|en promedio|media de|m[eé]di[oa]s?", "avg"),
    (r"total|sum(?: of)?|combined|suma(?: de)?|soma(?: de)?", "sum"),
    (r"at least|no less than|al menos|por lo menos|como m[ií]nimo|pelo menos|no m[ií]nimo|>=", ">="),
    (r"at most|no more than|como m[aá]ximo|a lo sumo|no m[aá]ximo|<=", "<="),
    (r"(?:more|greater|higher|larger|bigger|older|longer) than|over|above|after|exceed(?:s|ing)?|m[aá]s de|"
     r"m[aá]s (?:alt|grand)[a-z]* que|mayor(?:es)? (?:que|de|a)|superior(?:es)? a|despu[eé]s de|"
     r"mais de|mais (?:do )?que|"
     r"maior(?:es)? (?:do )?que|acima de|depois de|>", ">"),
    (r"(?:less|fewer|lower|smaller|younger|shorter) than|under|below|before|menos de|menor(?:es)? (?:que|de|a)|"
     r"inferior(?:es)? a|antes de|menos (?:do )?que|menor(?:es)? (?:do )?que|abaixo de|<", "<"),
    (r"between|entre", "between"),
    (r"(?:for )?each|(?:for )?every|per|grouped by|(?:por|para|de|en) cada|agrupad[oa]s? por", "group"),
    (r"(?:order(?:ed)?|sort(?:ed)?) (?:them |the \w+ )?(?:by|in)|ordenad[oa]s? por|por orden de|em ordem de", "order"),
    (r"descending(?: order)?|from (?:high|old|large)\w* to \w+|descendente|de mayor a menor|"
     r"decrescente|do maior ao menor",
     "desc"),
    (r"ascending(?: order)?|alphabetical(?: order)?|ascendente|alfab[eé]tic[oa]|crescente", "asc"),
    (r"maximum|max|m[aá]ximo|m[aá]xima", "max"),
    (r"minimum|min|m[ií]nimo|m[ií]nima", "min"),
    (r"(?:top|first|primer[oa]s|primeir[oa]s|mejores|melhores) (?=\d)", "top"),
    (r"different|distinct|unique|diferentes|distint[oa]s", "distinct"),
    (r"not|n't|other than|excluding|no|excepto|n[aã]o|exceto", "not"),
)  # fmt: skip
PATTERNS = tuple((re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE), name) for pattern, name in OPERATORS)

SUPERLATIVES: dict[str, tuple[str, tuple[str, ...]]] = {}
"""Word to its direction and to the words of columns that it may mean."""


def _superlatives(direction: str, means: str, words: str) -> None:
    for word in words.split():
        SUPERLATIVES[word] = (direction, tuple(means.split()))


_superlatives("desc", "population area size capacity population amount", "largest biggest greatest grande maior mayor")
_superlatives("asc", "population area size capacity amount", "smallest least menor lowest fewest")
_superlatives("desc", "height elevation altitude amount score price", "highest tallest alto alta")
_superlatives("asc", "height", "shortest bajo baixo")
_superlatives("desc", "length duration", "longest largo longo")
_superlatives("desc", "age birth", "oldest viejo velho")
_superlatives("asc", "age birth", "youngest joven jovem")
_superlatives("desc", "price cost", "expensive caro cara dearest")
_superlatives("asc", "price cost", "cheapest barato barata")
_superlatives("desc", "weight", "heaviest pesado pesada")
_superlatives("desc", "date year time", "latest newest recent reciente recente último última")
_superlatives("asc", "date year time", "earliest antiguo antigo")
_superlatives("desc", "population", "populous poblado poblada populoso populosa")
_superlatives("desc", "rating score rank", "best mejor melhor")

MEASURES: dict[str, tuple[str, ...]] = {
    "big": ("area", "size", "population"), "large": ("area", "size", "population"), "grande": ("area", "size"),
    "size": ("size", "area"), "tamaño": ("size", "area"), "tamanho": ("size", "area"),
    "long": ("length", "duration"), "tall": ("height",), "high": ("height",),
    "old": ("age", "year"), "heavy": ("weight",),
    "expensive": ("price", "cost"), "cuesta": ("price", "cost"), "custa": ("price", "cost"), "cost": ("price", "cost"),
    "where": ("location", "address", "city", "state", "region", "country"),
    "dónde": ("location", "address", "city", "state", "region", "country"),
    "onde": ("location", "address", "city", "state", "region", "country"),
    "when": ("date", "year", "time"), "cuándo": ("date", "year", "time"), "quando": ("date", "year", "time"),
}  # fmt: skip
"""Words that ask for a column without naming it."""
NUMBERS = {word: str(place) for words in (
    "zero one two three four five six seven eight nine ten",
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez",
    "zero um dois três quatro cinco seis sete oito nove dez",
) for place, word in enumerate(words.split())}  # fmt: skip

SOFT = frozenset(
    "name names title nombre nombres nome nomes total long old big high number cost value values place states".split()
)
"""Ignored, unless a column is called just so."""
IGNORED = frozenset(
    "show list give find return tell me us what which who whose where when are is was were do does "
    "did have has had all "
    "any there that with by of in on at for from to the a an and or it its their they them us please "
    "whom display count "
    "get name names many much number total long old big tall high how whole our we i you can could into than then each "
    "every different value values record records row rows information data listed "
    "muestra muéstrame lista dame encuentra qué cuál cuáles quién quiénes dónde cuándo cuánto "
    "cuántos cuántas cuántos son "
    "es hay tiene tienen todos todas el la los las un una de del en con por para que y o su sus más "
    "mas nuestro nuestra "
    "mostre liste encontre qual quais quem onde quando quanto quantos quantas são é há tem têm todos "
    "todas o os as um uma "
    "do da dos das no na nos nas com por para e ou seu sua mais nosso nossa nombre nombres nome nomes "
    "live lives living vive viven mora moram vivem located made make used use using uses having been ever both "
    "some well also along corresponding correspond happened occurred named called titled found exist exists "
    "belong belongs over same one through run runs flow flows pass passes go goes either including only "
    "available recorded stored kept currently just located lie lies stay stays united states' usa we're i'm "
    "own owns owned sold sell sells bought buy placed place works work worked vendido vendidos hecho hechos".split()
)

SYNONYMS: dict[str, str] = {}
"""Spanish and Portuguese words of everyday databases, and English ones that mean the same, to one English word."""
for _word, _others in {
    "name": "nombre nome nombres nomes title título called",
    "city": "ciudad ciudades cidade cidades town",
    "country": "país países nation countries",
    "state": "estado estados",
    "population": "población poblaciones população habitantes people citizens inhabitants habitante residents",
    "customer": "cliente clientes client clients buyer",
    "order": "pedido pedidos orden órdenes encomenda encomendas",
    "product": "producto productos produto produtos artículo artículos item items",
    "price": "precio precios preço preços",
    "cost": "coste costo costes custo custos",
    "employee": "empleado empleados empleada empleadas funcionário funcionários empregado empregados worker "
    "workers staff",
    "department": "departamento departamentos",
    "salary": "salario sueldo salarios salário salários wage",
    "age": "edad idade",
    "date": "fecha fechas data datas",
    "year": "año años ano anos",
    "amount": "importe importes cantidad monto montante valor quantia",
    "quantity": "cantidad quantidade",
    "sale": "venta ventas venda vendas",
    "book": "libro libros livro livros",
    "author": "autor autora autores writer",
    "student": "estudiante estudiantes alumno alumnos aluno alunos estudante estudantes",
    "teacher": "profesor profesores profesora professor professores",
    "course": "curso cursos",
    "river": "río ríos rio rios",
    "mountain": "montaña montañas montanha montanhas",
    "length": "longitud largo comprimento",
    "area": "superficie área áreas",
    "capital": "capitales capitais",
    "address": "dirección endereço",
    "email": "correo e-mail mail",
    "phone": "teléfono telefone",
    "type": "tipo tipos kind",
    "stock": "existencias estoque inventory",
    "invoice": "factura facturas fatura faturas",
    "supplier": "proveedor proveedores fornecedor fornecedores vendor",
    "category": "categoría categorías categoria categorias",
    "number": "num no count número",
    "film": "película películas filme filmes movie movies",
    "song": "canción canciones canção canções",
    "singer": "cantante cantantes cantor cantores",
    "team": "equipo equipos equipe equipes",
    "player": "jugador jugadores jogador jogadores",
    "weight": "peso pesos",
    "height": "altura estatura elevation altitude",
    "region": "región regiones região regiões",
    "store": "tienda tiendas loja lojas shop",
    "hotel": "hoteles hotéis",
    "status": "estado situación situação",
    "shipped": "enviado enviados enviada enviadas",
}.items():
    for _other in _others.split():
        SYNONYMS.setdefault(_other, _word)
