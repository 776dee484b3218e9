"""Lab 9, the verdict: parameter server, all-reduce or both.

    9.1  crossover         where the choice flips, by four ways to count        lab9_crossover.py
    9.2  recommend         which architecture, and what binds                   lab9_recommend.py
    9.3  combine_sparse    the same table at the end, by few bytes and by many  lab9_combine*.py
         combine_dense
    9.4  route             which parameters go where                            lab9_route.py
    9.5  predict_bytes     three contenders measured, predicted first           lab9_measure.py
         finish_order
    9.7  choices           four systems, four questions                         lab9_quiz.py

9.6, four traces of {server, collective} x {synchronous, not}, needs servers and rounds that come with later chapters.
"""

from .lab9_combine_checks import COMBINE
from .lab9_crossover import CROSSOVER
from .lab9_measure import MEASURE
from .lab9_quiz import QUIZ
from .lab9_recommend import RECOMMEND
from .lab9_route import ROUTE

EXERCISES = (CROSSOVER, RECOMMEND, COMBINE, ROUTE, MEASURE, QUIZ)
