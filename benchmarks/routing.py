"""How well the prompt routers' score tells easy requests from hard ones: `python -m benchmarks.routing`.

Our own requests, each called easy or hard by hand: hard is what takes several steps of thought, code or care; easy is a
fact, a greeting, a translation of a few words. Says the area under the ROC curve (1: every hard one above every easy
one; 0.5: chance), by language, and what share of each kind goes to the cheaper model at some criteria. It says nothing
of the quality of any model's answers.
"""

from __future__ import annotations

import time

from benchmarks.harness import report
from rocamadre.catalog.routing import difficulty, prefers_other
from rocamadre.core.messages import GenerationRequest, Message, Text

EASY = {
    "en": (
        "Good morning!", "Who painted the Mona Lisa?", "What does 'ephemeral' mean?", "Is water wet?",
        "Name three fruits.", "When was Mozart born?", "How do you say 'thank you' in French?", "Tell me a joke.",
        "What time zone is Lisbon in?", "Can you help me?", "Write a short birthday wish for my aunt.",
        "What is the plural of 'mouse'?",
    ),
    "es": (
        "¡Buenas tardes!", "¿Quién pintó Las meninas?", "¿Qué significa 'efímero'?", "Dime tres frutas.",
        "¿En qué año nació Cervantes?", "¿Cómo se dice 'gracias' en portugués?", "Cuéntame un chiste.",
        "¿Qué hora es en Bogotá?", "¿Me ayudas?", "Escribe una felicitación corta para mi tía.",
        "¿Cuál es el río más largo de España?", "¿Está lloviendo hoy?",
    ),
    "pt": (
        "Boa noite!", "Quem pintou O Lavrador de Café?", "O que significa 'efêmero'?", "Diga três frutas.",
        "Em que ano nasceu Machado de Assis?", "Como se diz 'obrigado' em inglês?", "Conte uma piada.",
        "Que horas são em Lisboa?", "Você me ajuda?", "Escreva um parabéns curto para minha tia.",
        "Qual é o maior rio do Brasil?", "Está chovendo hoje?",
    ),
}  # fmt: skip
HARD = {
    "en": (
        "A train leaves at 9:40 and another at 10:15 at twice its speed; when does it catch up? Show your work.",
        "Write a function in Rust that merges overlapping intervals, and explain its complexity.",
        "Argue for and against a four-day week for a hospital, then recommend one with reasons.",
        "My SQL query is slow: SELECT * FROM orders o JOIN items i ON i.order_id = o.id WHERE o.total > 10. Why?",
        "Derive the formula for the sum of the first n squares.",
        "Plan a migration of a monolith to services that must not stop for more than five minutes.",
        "Summarise the causes of the French Revolution, rank them by importance and justify the ranking.",
        "Find the flaw in this proof that all horses are the same colour.",
        "Given a fair coin, how many flips are expected until two heads in a row?",
        "Review this contract clause and list what could go wrong for the tenant and what must be changed.",
        "Refactor this: for i in range(len(a)): for j in range(len(b)): if a[i] == b[j]: c.append(a[i])",
        "Design an experiment that separates the effect of sleep from that of caffeine on memory.",
    ),
    "es": (
        "Un tren sale a las 9:40 y otro a las 10:15 al doble de velocidad: ¿cuándo lo alcanza? Muestra los cálculos.",
        "Escribe una función en Python que una intervalos solapados y explica su complejidad.",
        "Argumenta a favor y en contra de la semana de cuatro días y recomienda una opción con razones.",
        "Deduce la fórmula de la suma de los n primeros cuadrados.",
        "Planifica la migración de un monolito a servicios que no debe parar más de cinco minutos.",
        "Compara las causas de la Revolución francesa y justifica cuál pesó más.",
        "Resuelve el sistema x + y = 10, 2x - y = 5 paso a paso.",
        "¿Por qué falla este código? if (a = b) { return true; }",
        "Analiza esta cláusula y di qué debe cambiarse para proteger al inquilino.",
        "Diseña un experimento que separe el efecto del sueño del de la cafeína.",
        "Encuentra el error en esta demostración de que 1 = 2.",
        "¿Cuántas manos de póquer tienen exactamente un par? Explica el razonamiento.",
    ),
    "pt": (
        "Um trem sai às 9h40 e outro às 10h15 com o dobro da velocidade: quando o alcança? Mostre as contas.",
        "Escreva uma função em Python que una intervalos sobrepostos e explique a complexidade.",
        "Argumente a favor e contra a semana de quatro dias e recomende uma opção com razões.",
        "Deduza a fórmula da soma dos n primeiros quadrados.",
        "Planeje a migração de um monólito para serviços que não deve parar mais de cinco minutos.",
        "Compare as causas da Revolução Francesa e justifique qual pesou mais.",
        "Resolva o sistema x + y = 10, 2x - y = 5 passo a passo.",
        "Por que este código falha? if (a = b) { return true; }",
        "Analise esta cláusula e diga o que deve mudar para proteger o inquilino.",
        "Projete um experimento que separe o efeito do sono do da cafeína.",
        "Encontre o erro nesta demonstração de que 1 = 2.",
        "Quantas mãos de pôquer têm exatamente um par? Explique o raciocínio.",
    ),
}  # fmt: skip
CRITERIA = (0, 10, 25, 50, 100)


def score(text: str) -> float:
    """What a router would give this request."""
    return difficulty(GenerationRequest(messages=(Message("user", (Text(text),)),))).score


def area(hard: list[float], easy: list[float]) -> float:
    """Under the ROC curve."""
    wins = sum((one > other) + 0.5 * (one == other) for one in hard for other in easy)
    return wins / (len(hard) * len(easy))


def main() -> None:
    """The command."""
    easy = {language: [score(text) for text in texts] for language, texts in EASY.items()}
    hard = {language: [score(text) for text in texts] for language, texts in HARD.items()}
    all_easy = [each for scores in easy.values() for each in scores]
    all_hard = [each for scores in hard.values() for each in scores]
    longest = "Explain why 1 + 1 = 2. " * 1000
    began = time.perf_counter()
    score(longest)
    took = time.perf_counter() - began
    report(
        "routing",
        {
            "requests": {"easy": len(all_easy), "hard": len(all_hard)},
            "area_under_roc": {
                "all": round(area(all_hard, all_easy), 3),
                **{language: round(area(hard[language], easy[language]), 3) for language in EASY},
            },
            "share_to_the_cheaper_model": {
                str(most): {
                    kind: round(
                        sum(prefers_other(each, most, other_is_stronger=False) for each in scores) / len(scores), 3
                    )
                    for kind, scores in (("easy", all_easy), ("hard", all_hard))
                }
                for most in CRITERIA
            },
            "longest_request_ms": round(took * 1000, 1),
        },
    )


if __name__ == "__main__":
    main()
