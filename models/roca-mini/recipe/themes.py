"""Word lists for made-up rows on topics, manners, dates and invented tools."""

# ruff: noqa: E501 - word lists read better unbroken

TOPICS = {
    "en": {
        "sport": "match team goal coach player league stadium referee championship race runner tennis football medal score striker tournament Olympic swimmer fans",
        "politics": "election minister parliament vote president law senator campaign treaty government party reform mayor embassy senate coalition ballot diplomat",
        "health": "doctor hospital patient vaccine disease nurse medicine surgery virus symptom diet therapy clinic treatment blood infection fever",
        "technology": "computer software phone internet robot chip app data network engineer code battery server screen device update password startup",
        "science": "researcher laboratory experiment planet telescope molecule species theory physicist fossil cell energy atom galaxy study discovery chemist",
        "business": "company market shares profit bank investor sales price factory trade merger budget economy customer loan exports wages",
        "culture": "film museum novel painter concert theatre actor song festival poet exhibition director album gallery opera writer dancer",
        "travel": "airport hotel flight tourist beach passport train luggage island guide tour ticket mountain cruise reservation visitors",
    },
    "es": {
        "deporte": "partido equipo gol entrenador jugador liga estadio árbitro campeonato carrera corredor tenis fútbol medalla delantero torneo nadador aficionados",
        "política": "elección ministro parlamento voto presidente ley senador campaña tratado gobierno partido reforma alcalde embajada coalición diplomático",
        "salud": "médico hospital paciente vacuna enfermedad enfermera medicina cirugía virus síntoma dieta terapia clínica tratamiento sangre infección fiebre",
        "tecnología": "ordenador programa teléfono internet robot chip aplicación datos red ingeniero código batería servidor pantalla dispositivo contraseña",
        "ciencia": "investigador laboratorio experimento planeta telescopio molécula especie teoría físico fósil célula energía átomo galaxia estudio hallazgo",
        "economía": "empresa mercado acciones beneficio banco inversor ventas precio fábrica comercio fusión presupuesto cliente préstamo exportaciones salarios",
        "cultura": "película museo novela pintor concierto teatro actor canción festival poeta exposición director disco galería ópera escritor bailarina",
        "viajes": "aeropuerto hotel vuelo turista playa pasaporte tren equipaje isla guía excursión billete montaña crucero reserva visitantes",
    },
    "pt": {
        "esporte": "partida time gol técnico jogador liga estádio árbitro campeonato corrida corredor tênis futebol medalha atacante torneio nadador torcida",
        "política": "eleição ministro parlamento voto presidente lei senador campanha tratado governo partido reforma prefeito embaixada coligação diplomata",
        "saúde": "médico hospital paciente vacina doença enfermeira remédio cirurgia vírus sintoma dieta terapia clínica tratamento sangue infecção febre",
        "tecnologia": "computador programa telefone internet robô chip aplicativo dados rede engenheiro código bateria servidor tela dispositivo senha",
        "ciência": "pesquisador laboratório experimento planeta telescópio molécula espécie teoria físico fóssil célula energia átomo galáxia estudo descoberta",
        "economia": "empresa mercado ações lucro banco investidor vendas preço fábrica comércio fusão orçamento cliente empréstimo exportações salários",
        "cultura": "filme museu romance pintor concerto teatro ator canção festival poeta exposição diretor disco galeria ópera escritor bailarina",
        "viagens": "aeroporto hotel voo turista praia passaporte trem bagagem ilha guia passeio passagem montanha cruzeiro reserva visitantes",
    },
}
NEWS = {
    "en": ("The {a} and the {b} were in the news because of the {c}.", "After the {a}, everybody spoke of the {b}.",
           "{n} said that the {a} needs a new {b}.", "Nobody expected the {a} with the {b} and the {c}.",
           "A {a} in {t} has a problem with the {b}.", "{n} wrote about the {a}, the {b} and the {c} of {t}."),
    "es": ("Noticias de {t}: {a}, {b} y {c}.", "{n} habló de {a} y de {b} en {t}.", "En {t} todos comentan: {a} y {b}.",
           "Según {n}, falta {a} y sobra {b}.", "Hoy en {t}: {a}, {b}, {c}."),
    "pt": ("Notícias de {t}: {a}, {b} e {c}.", "{n} falou de {a} e de {b} em {t}.", "Em {t} todos comentam: {a} e {b}.",
           "Segundo {n}, falta {a} e sobra {b}.", "Hoje em {t}: {a}, {b}, {c}."),
}  # fmt: skip
RUDE = {
    "en": "idiot moron fool loser clown liar pig rat coward trash scum garbage jerk dumbass imbecile creep parasite",
    "es": "idiota imbécil tonto payaso mentiroso cerdo rata cobarde basura escoria inútil estúpido burro parásito miserable",
    "pt": "idiota imbecil tonto palhaço mentiroso porco rato covarde lixo escória inútil burro otário parasita miserável",
}
RUDE_PATTERNS = {
    "en": ("You are a {r}.", "Shut up, you {r}!", "{n} is a {r} and nobody wants you here.", "What a {r}, go away.",
           "Only a {r} could write this.", "I hate you, {r}.", "people like you are {r}, get lost", "you {r}, you make me sick"),
    "es": ("Eres un {r}.", "¡Cállate, {r}!", "{n} es un {r} y nadie lo quiere aquí.", "Qué {r}, lárgate.",
           "Solo un {r} escribiría esto.", "Te odio, {r}.", "la gente como tú es {r}, fuera"),
    "pt": ("Você é um {r}.", "Cala a boca, {r}!", "{n} é um {r} e ninguém quer você aqui.", "Que {r}, some daqui.",
           "Só um {r} escreveria isso.", "Eu te odeio, {r}.", "gente como você é {r}, fora"),
}  # fmt: skip
CIVIL_PATTERNS = {
    "en": ("You are a good {o}.", "Thank you, {n}!", "{n} is a {o} and lives in {t}.", "I do not agree with {n}, but fair enough.",
           "I hate waiting for the train in {t}.", "Please, {n}, could you call me back?", "what a nice day in {t}", "this phone is bad, I want my money back",
           "I think that {n} is wrong about this."),
    "es": ("Eres un buen {o}.", "¡Gracias, {n}!", "{n} es {o} y vive en {t}.", "No estoy de acuerdo con {n}, pero está bien.",
           "Odio esperar el tren en {t}.", "{n}, ¿puedes llamarme?", "qué buen día en {t}", "este teléfono es malo, quiero mi dinero",
           "Creo que {n} se equivoca en esto."),
    "pt": ("Você é um bom {o}.", "Obrigado, {n}!", "{n} é {o} e mora em {t}.", "Não concordo com {n}, mas tudo bem.",
           "Odeio esperar o trem em {t}.", "{n}, você pode me ligar?", "que dia bonito em {t}", "este telefone é ruim, quero meu dinheiro",
           "Acho que {n} está errado nisso."),
}  # fmt: skip
JOBS = {
    "en": "teacher doctor farmer painter lawyer baker driver nurse engineer writer judge tailor singer soldier",
    "es": "profesor médico agricultor pintor abogado panadero conductor enfermero ingeniero escritor juez sastre cantante soldado",
    "pt": "professor médico agricultor pintor advogado padeiro motorista enfermeiro engenheiro escritor juiz alfaiate cantor soldado",
}
MONTHS = {
    "en": "January February March April May June July August September October November December",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
}
DAYS = {
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "es": "lunes martes miércoles jueves viernes sábado domingo",
    "pt": "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
}
LAND_FACTS = {
    "en": (("The capital of {t} is {v}.", "What is the capital of {t}?"), ("{n} wrote the book {v}.", "Which book did {n} write?"),
           ("The company of {n} makes {v}.", "What does the company of {n} make?"), ("The river {t} is {v} kilometres long.", "How long is the river {t}?"),
           ("{n} was born in {v}.", "Where was {n} born?"), ("The battle of {t} was in {v}.", "When was the battle of {t}?"),
           ("In {t} people eat {v} for breakfast.", "What do people in {t} eat for breakfast?"), ("{n} is married to {v}.", "Who is {n} married to?")),
    "es": (("La capital de {t} es {v}.", "¿Cuál es la capital de {t}?"), ("{n} escribió el libro {v}.", "¿Qué libro escribió {n}?"),
           ("La empresa de {n} fabrica {v}.", "¿Qué fabrica la empresa de {n}?"), ("El río {t} mide {v} kilómetros.", "¿Cuánto mide el río {t}?"),
           ("{n} nació en {v}.", "¿Dónde nació {n}?"), ("La batalla de {t} fue en {v}.", "¿Cuándo fue la batalla de {t}?"),
           ("En {t} se desayuna {v}.", "¿Qué se desayuna en {t}?"), ("{n} está casado con {v}.", "¿Con quién está casado {n}?")),
    "pt": (("A capital de {t} é {v}.", "Qual é a capital de {t}?"), ("{n} escreveu o livro {v}.", "Que livro {n} escreveu?"),
           ("A empresa de {n} fabrica {v}.", "O que fabrica a empresa de {n}?"), ("O rio {t} tem {v} quilômetros.", "Quanto mede o rio {t}?"),
           ("{n} nasceu em {v}.", "Onde nasceu {n}?"), ("A batalha de {t} foi em {v}.", "Quando foi a batalha de {t}?"),
           ("Em {t} come-se {v} no café da manhã.", "O que se come em {t} no café da manhã?"), ("{n} é casado com {v}.", "Com quem {n} é casado?")),
}  # fmt: skip
LANDS = "France Brazil Japan Peru Italy Kenya Norway Chile Egypt Canada Portugal Mexico Poland India Cuba Greece Turkey Ireland Ghana Vietnam"
THINGS = {
    "en": "bread cheese shoes stars lamps songs engines clouds coffee apples knives bells tea bridges soap candles",
    "es": "pan queso zapatos estrellas lámparas canciones motores nubes café manzanas cuchillos campanas té puentes jabón velas",
    "pt": "pão queijo sapatos estrelas lâmpadas canções motores nuvens café maçãs facas sinos chá pontes sabão velas",
}
VERBS = "get find create delete update list send book open close search cancel start stop check convert calculate order"
NOUNS = "user order ticket room invoice weather message file price account report song route meeting product payment table recipe document event"
FIELDS = {
    "city": "string", "name": "string", "date": "string", "order_id": "string", "amount": "number", "count": "integer", "title": "string",
    "email": "string", "color": "string", "active": "boolean", "number": "integer", "language": "string", "code": "string", "year": "integer",
}  # fmt: skip
FIELD_WORDS = {
    "en": {"city": "in {v}", "name": "for {v}", "date": "on {v}", "order_id": "with order id {v}", "amount": "with the amount {v}", "count": "count {v}",
           "title": "with the title {v}", "email": "with the email {v}", "color": "with the color {v}", "active": "with active set to {v}", "number": "number {v}",
           "language": "in the language {v}", "code": "with code {v}", "year": "from the year {v}"},
    "es": {"city": "en {v}", "name": "para {v}", "date": "el {v}", "order_id": "con el pedido {v}", "amount": "por el importe {v}", "count": "cantidad {v}",
           "title": "con el título {v}", "email": "con el correo {v}", "color": "de color {v}", "active": "con activo en {v}", "number": "número {v}",
           "language": "en el idioma {v}", "code": "con el código {v}", "year": "del año {v}"},
    "pt": {"city": "em {v}", "name": "para {v}", "date": "em {v}", "order_id": "com o pedido {v}", "amount": "no valor {v}", "count": "quantidade {v}",
           "title": "com o título {v}", "email": "com o e-mail {v}", "color": "da cor {v}", "active": "com ativo em {v}", "number": "número {v}",
           "language": "no idioma {v}", "code": "com o código {v}", "year": "do ano {v}"},
}  # fmt: skip
NOUN_WORDS = {
    "es": "usuario pedido boleto habitación factura tiempo mensaje archivo precio cuenta informe canción ruta reunión producto pago mesa receta documento evento",
    "pt": "usuário pedido ingresso quarto fatura tempo mensagem arquivo preço conta relatório canção rota reunião produto pagamento mesa receita documento evento",
}
VERB_WORDS = {
    "es": "obtén encuentra crea borra actualiza lista envía reserva abre cierra busca cancela empieza detén comprueba convierte calcula pide",
    "pt": "obtenha encontre crie apague atualize liste envie reserve abra feche procure cancele comece pare verifique converta calcule peça",
}
