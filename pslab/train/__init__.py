"""Training one model: alone, by all-reduce, on servers, by the hybrid of both; and without waiting for each other.

    Job ──> run_job(world, job, batches) ──> JobResult      in the simulator or in processes
              ├── train_program on every rank: Trainer on workers, KVServer on servers
              ├── options: Clip, precision="bf16", pipelined, Scheduled(rule, warm_up(100) * cosine(10_000))
              ├── Checkpoints, Checkpoint: stopped anywhere, gone on from exactly
              └── logs: Progress, JsonLines, TensorBoard

    DataServer, serve_data, DataWorker      ranks that hold the rows and hand them out
    compare_feeding(...)                    data servers against a partitioned data set, in bytes and in time
    allreduce_sgd(comm, model, loss_sum, batches, lr=0.1)       any model: mini-batch SGD with an all-reduce, alone

    Pace, spend                             how long a worker computes at a step: straggler profiles
    Downpour, Compensated, Hogwild          asynchronous strategies of any model; WatchedServer: how stale is a push?
    run_race, run_hogwild                   real servers, rings and shared memory side by side, on a small Task
    schedule ──> replay ──> straggler_grid, best_rates      the same without messages: who when, the loss, many cells
    run_rival, sweep_crossover, run_hot     bytes counted beside pslab.cost: three rivals, exercise 11.9.1, hot rows
    run_online, run_online_modes            a stream of examples in, fresh rows to readers: after how long?
    two_by_two, run_actors                  {server, all-reduce} × {waiting, not}; a learner and actors that come and go
    staleness_law, stable_rates, ssp_regret, time_over_tau, AdaptiveStaleness       what staleness costs
"""

from pslab.ps import SGD, AdaGrad

from .actors import Actor, ActorsRun, Episode, run_actors
from .adaptive import AdaptiveSSP, AdaptiveStaleness
from .allreduce_sgd import Adam, AllReduceSteps, Momentum, allreduce_sgd
from .bytes import busiest_port, port_bytes
from .checkpoint import Checkpoint, Checkpoints, ServerSaves, load_checkpoint, load_server, save_checkpoint
from .checkpoint_files import CheckpointError
from .clipping import Clip
from .data_server import DataServer, DataWorker, serve_data
from .downpour import Compensated, Downpour, dense_table
from .feeding import Feeding, compare_feeding
from .grid import straggler_grid, usual_kinds
from .hogwild import Hogwild, HogwildRun, run_hogwild
from .hot import HotRun, run_hot
from .job import Given, Job, tables_of
from .logs import JsonLines, Log, Progress, TensorBoard, read_lines
from .losses import LOSSES
from .online import ExampleStream, OnlineRun, example_stream, run_online, run_online_modes
from .pace import Pace, spend
from .pipeline import Pipeline, time_over_tau
from .race import Lane, Race, run_race, usual_modes
from .replaying import Curve, WarmUp, compensate, over_staleness, replay, replay_rounds
from .rivals import best_rates, usual_rivals
from .rivals_counted import CrossoverPoint, RivalRun, SparseStep, run_rival, sweep_crossover
from .run import JobResult, run_job, train_program
from .schedules import RateSchedule, Scheduled, cosine, step_decay, warm_up
from .shared import shared_vector
from .stale import (
    Law,
    Regret,
    law_of_updates,
    ssp_regret,
    stable_rate_by_experiment,
    stable_rates,
    staleness_law,
)
from .strategies import DENSE_TABLE, NEEDS_SERVERS, STRATEGIES
from .tasks import DoubleWell, Logistic, Quadratic, SparseLogistic, Task
from .timing import Schedule, backup_rounds, schedule
from .trainer import Trainer
from .two_by_two import Corner, two_by_two
from .watched import Update, WatchedServer

__all__ = ["DENSE_TABLE", "LOSSES", "NEEDS_SERVERS", "SGD", "STRATEGIES", "Actor", "ActorsRun", "AdaGrad", "Adam",
           "AdaptiveSSP", "AdaptiveStaleness", "AllReduceSteps", "Checkpoint", "CheckpointError", "Checkpoints",
           "Clip", "Compensated", "Corner", "CrossoverPoint", "Curve", "DataServer", "DataWorker", "DoubleWell",
           "Downpour", "Episode", "ExampleStream", "Feeding", "Given", "Hogwild", "HogwildRun", "HotRun", "Job",
           "JobResult", "JsonLines", "Lane", "Law", "Log", "Logistic", "Momentum", "OnlineRun", "Pace", "Pipeline",
           "Progress", "Quadratic", "Race", "RateSchedule", "Regret", "RivalRun", "Schedule", "Scheduled",
           "ServerSaves", "SparseLogistic", "SparseStep", "Task", "TensorBoard", "Trainer", "Update", "WarmUp",
           "WatchedServer", "allreduce_sgd", "backup_rounds", "best_rates", "busiest_port", "compare_feeding",
           "compensate", "cosine", "dense_table", "example_stream", "law_of_updates", "load_checkpoint", "load_server",
           "over_staleness", "port_bytes", "read_lines", "replay", "replay_rounds", "run_actors", "run_hogwild",
           "run_hot", "run_job", "run_online", "run_online_modes", "run_race", "run_rival", "save_checkpoint",
           "schedule", "serve_data", "shared_vector", "spend", "ssp_regret", "stable_rate_by_experiment",
           "stable_rates", "staleness_law", "step_decay", "straggler_grid", "sweep_crossover", "tables_of",
           "time_over_tau", "train_program", "two_by_two", "usual_kinds", "usual_modes", "usual_rivals", "warm_up"]
