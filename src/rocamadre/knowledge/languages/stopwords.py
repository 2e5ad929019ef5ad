"""Words that say nothing about what a text is about; lists of our own, small."""

from __future__ import annotations

STOP_WORDS: dict[str, frozenset[str]] = {
    "en": frozenset(
        (
            "a about above after again against all also am an and any are as at be because been before being below "
            "between both but by can could did do does doing don down during each either else ever few for from "
            "further had has have having he her here hers herself him himself his how however i if in into is it its "
            "itself just let like may me might more most much must my myself neither no nor not now of off often on "
            "once one only onto or other our ours ourselves out over own per perhaps quite rather s same shall she "
            "should since so some such t than that the their theirs them themselves then there therefore these they "
            "this those though through thus to too under until up upon us very was we were what when where whether "
            "which while who whom whose why will with within without would yet you your yours yourself yourselves"
        ).split()
    ),
    "es": frozenset(
        (
            "a al algo alguna algunas alguno algunos algún ante antes aquel aquella aquellas aquello aquellos aquí "
            "así aun aunque aún bajo bien cada casi como con contra cual cuales cualquier cuando cuanto cuya cuyas "
            "cuyo cuyos cuál cuáles cuándo cuánta cuántas cuánto cuántos cómo de del desde donde dos durante dónde e "
            "el ella ellas ello ellos en entonces entre era eran eras eres es esa esas ese eso esos esta estaba "
            "estaban estado estamos estar estas este esto estos está están estás fue fueron fui ha habido había "
            "habían hace hacia han has hasta hay he hemos hubo incluso la las le les lo los luego mas me mi mientras "
            "mis mucha muchas mucho muchos muy más mí nada ni ninguna ninguno ningún no nos nosotras nosotros nuestra "
            "nuestras nuestro nuestros nunca o os otra otras otro otros para pero poco por porque pues que quien "
            "quienes quién quiénes qué se sea sean según ser si sido siempre sin sino sobre sois solo somos son soy "
            "su sus suya suyas suyo suyos sí sólo tal tales también tampoco tan tanta tantas tanto tantos te tener "
            "tenía ti tiene tienen toda todas todo todos tras tu tus tú u un una unas uno unos usted ustedes vosotros "
            "vuestra vuestro y ya yo él"
        ).split()
    ),
    "pt": frozenset(
        (
            "a agora ainda algo algum alguma algumas alguns ali ambos ante antes ao aos apenas após aquela aquelas "
            "aquele aqueles aqui aquilo as assim através até bem cada com como contra contudo cuja cujas cujo cujos "
            "da daquela daquele das de dela delas dele deles depois desde dessa dessas desse desses desta destas "
            "deste destes do dos durante e ela elas ele eles em embora enquanto entre era eram essa essas esse esses "
            "esta estamos estar estas estava estavam este esteja estes esteve estou está estão eu foi fomos for foram "
            "fosse fossem fui há isso isto já la lhe lhes lo logo mais mas me mediante meio menos mesma mesmas mesmo "
            "mesmos meu meus minha minhas muita muitas muito muitos na nada nas nem nenhum nenhuma nessa nesse nesta "
            "neste no nos nossa nossas nosso nossos num numa não nós o onde os ou outra outras outro outros para pela "
            "pelas pelo pelos per perante pois por porque portanto porém pouca poucas pouco poucos quais qual "
            "qualquer quando quanta quantas quanto quantos que quem quê se seja sejam sem sempre sendo ser será serão "
            "seu seus sido sob sobre somente sua suas são só tais tal também tampouco tanto te tem tendo tenha ter "
            "teu teve tinha tinham toda todas todavia todo todos tu tua tuas tudo têm um uma umas uns vai você vocês "
            "vos vosso à às é"
        ).split()
    ),
}
