"""Word lists for made-up training rows: feelings, names, places, things."""

# ruff: noqa: E501 - sentences and word lists read better unbroken

POSITIVE = {
    "en": """good great excellent wonderful amazing brilliant beautiful charming delightful funny lovely enjoyable superb
        fantastic perfect touching moving clever smart fresh warm sweet fun entertaining powerful impressive remarkable
        gripping engaging compelling thoughtful inspiring refreshing satisfying memorable hilarious witty exciting
        thrilling original stunning gorgeous heartfelt intelligent fascinating absorbing solid pleasant joyous graceful
        rewarding magnificent masterful captivating affecting terrific outstanding honest vivid lively imaginative
        sincere tender dazzling likable appealing skillful""",
    "es": """bueno excelente maravilloso increíble brillante hermoso encantador divertido precioso agradable magnífico
        fantástico perfecto conmovedor inteligente fresco cálido dulce entretenido poderoso impresionante notable
        fascinante inspirador memorable gracioso emocionante original sincero estupendo genial delicioso amable
        espléndido satisfactorio interesante rápido útil cómodo""",
    "pt": """bom ótimo excelente maravilhoso incrível brilhante lindo encantador divertido agradável magnífico
        fantástico perfeito comovente inteligente fresco caloroso doce poderoso impressionante notável fascinante
        inspirador memorável engraçado emocionante original sincero genial delicioso amável esplêndido satisfatório
        interessante rápido útil confortável cativante tocante""",
}
NEGATIVE = {
    "en": """bad terrible awful horrible boring dull stupid silly ugly weak poor disappointing annoying painful messy
        predictable tedious lame flat empty lifeless pointless bland clumsy confusing shallow cheap dreadful forgettable
        unfunny tired sloppy pretentious contrived mediocre worthless ridiculous lousy slow ludicrous incoherent
        depressing irritating mindless amateurish stale uninspired unpleasant hollow generic sour wasted overlong
        incoherent embarrassing lazy bloated unconvincing dumb feeble muddled trite insulting frustrating""",
    "es": """malo terrible horrible pésimo aburrido estúpido tonto feo débil pobre decepcionante molesto doloroso
        predecible tedioso plano vacío absurdo insípido torpe confuso superficial barato olvidable cansado pretencioso
        mediocre inútil ridículo lento deprimente irritante desagradable incómodo sucio caro insoportable lamentable""",
    "pt": """ruim mau terrível horrível péssimo chato estúpido bobo feio fraco pobre decepcionante irritante doloroso
        previsível tedioso plano vazio absurdo insípido desajeitado confuso superficial barato esquecível cansado
        pretensioso medíocre inútil ridículo lento deprimente desagradável desconfortável sujo caro insuportável
        lamentável entediante""",
}
SUBJECTS = {
    "en": """film movie story plot cast acting script book song album show hotel restaurant food service game performance
        direction comedy drama ending dialogue phone product room team""",
    "es": """el_libro el_hotel el_restaurante el_servicio el_guion el_argumento el_final
        el_producto el_juego el_filme el_disco el_reparto el_viaje el_teléfono""",
    "pt": """o_livro o_hotel o_restaurante o_serviço o_roteiro o_enredo o_final o_produto
        o_jogo o_filme o_disco o_elenco o_passeio o_telefone""",
}
PRAISE = {
    "en": """I loved it|I really enjoyed it|highly recommended|well worth seeing|one of the best of the year|a joy to
        watch|it made me smile|it works beautifully|a real treat|I would buy it again|full of heart|a triumph""",
    "es": """me encantó|lo disfruté mucho|muy recomendable|vale la pena|uno de los mejores del año|me hizo sonreír|
        funciona muy bien|volvería sin dudarlo|una alegría|todo un acierto""",
    "pt": """adorei|gostei muito|recomendo muito|vale a pena|um dos melhores do ano|me fez sorrir|funciona muito bem|
        voltaria sem dúvida|uma alegria|um grande acerto""",
}
BLAME = {
    "en": """I hated it|a waste of time|not worth your money|one of the worst of the year|I fell asleep|it falls flat|
        it never works|a complete mess|I want my money back|avoid it|nothing works|a failure""",
    "es": """lo odié|una pérdida de tiempo|no vale la pena|uno de los peores del año|me dormí|no funciona|un desastre|
        quiero mi dinero de vuelta|no lo recomiendo|un fracaso""",
    "pt": """odiei|uma perda de tempo|não vale a pena|um dos piores do ano|dormi no meio|não funciona|um desastre|
        quero meu dinheiro de volta|não recomendo|um fracasso""",
}
FIRST_NAMES = """Ana Luis María João Pedro Sofía Carlos Lucía Miguel Rosa Alice Bruno Clara Diego Elena Felipe Gloria
    Hugo Inés Jorge Karen Laura Mark Nina Oscar Paula Rafael Sara Tomás Vera William Emma Daniel Olivia James Beatriz
    Mateus Camila Tiago Julia Robert Susan Kevin Linda Peter Mary Andrés Marta Pablo Helena"""
LAST_NAMES = """García Silva Smith Pérez Santos Johnson López Oliveira Brown Díaz Souza Miller Torres Pereira Davis Ruiz
    Costa Wilson Vega Almeida Moore Castro Ribeiro Taylor Romero Carvalho Clark Mora Gomes Lewis"""
CITIES = """Lima Madrid London Lisbon Bogotá Quito Porto Paris Berlin Rome Santiago Recife Chicago Boston Seville Cusco
    Medellín Toronto Sydney Dublin Valencia Salvador Brasília Oxford Denver Montevideo Asunción Córdoba Rosario Curitiba"""
ITEMS = {
    "en": "lamp chair table phone book camera bag clock bottle jacket bicycle keyboard umbrella desk mirror printer tent",
    "es": "lámpara silla mesa cámara bolsa botella chaqueta bicicleta impresora tienda manta puerta guitarra radio mochila",
    "pt": "lâmpada cadeira mesa câmera bolsa garrafa jaqueta bicicleta impressora barraca manta porta guitarra mochila",
}
COLOURS = {
    "en": "red blue green black white yellow brown grey orange purple",
    "es": "roja azul verde negra blanca amarilla marrón gris naranja morada",
    "pt": "vermelha azul verde preta branca amarela marrom cinza laranja roxa",
}


def listed(text: str, separator: str | None = None) -> list[str]:
    """The entries of a list above; a line break inside an entry is a space."""
    return [" ".join(entry.replace("_", " ").split()) for entry in text.split(separator) if entry.strip()]
