"""Trains glip-nano from scratch on rendered scenes; resumes where it stopped.

    python -m glip.train --to training/nano --hours 2
    python -m glip.train --to training/more --init training/nano/checkpoint.pt --steps 10000 --lr 5e-4

Writes to the work folder: checkpoint.pt (weights, their moving average, optimiser, step), log.jsonl (one
line per report and per validation), step-N.png (validation pictures). The same seed, batch size and
number of processes give the same batches; a killed run repeats at most the steps since the last
checkpoint. On CPU one process per core with one thread each is faster than one process with many
threads, because the operators are small; gradients are averaged over the processes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from tqdm import tqdm

from glip.batches import Batch, training_batches
from glip.checkpoint import read_checkpoint
from glip.config import CONFIGS
from glip.evaluate import best_threshold, measure
from glip.loss import detection_loss
from glip.model import Glip, build
from glip.predict import DEFAULT_VOCAB, predict_scenes, predictor_of_model, save_sheet
from glip.text import Tokenizer, load_vocab

VALIDATION_SEED = 1_000_003  # never used by training (its split is another) nor by the bundled sample


@dataclass(frozen=True)
class TrainOptions:
    to: Path
    init: Path | None
    seed: int
    batch: int
    steps: int
    lr: float
    warmup: int
    weight_decay: float
    ema: float
    clip: float
    processes: int
    report_every: int
    save_minutes: float
    validate_every: int
    validate_scenes: int
    hours: float | None


def learning_rate(step: int, options: TrainOptions) -> float:
    """Linear warm-up, then a half cosine down to a hundredth."""
    if step < options.warmup:
        return options.lr * (step + 1) / options.warmup
    done = min(1.0, (step - options.warmup) / max(1, options.steps - options.warmup))
    return options.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def parameter_groups(model: Glip, weight_decay: float) -> list[dict]:
    """Matrices and kernels decay; biases, norms, tables and scalars do not."""
    decayed, kept = [], []
    for name, parameter in model.named_parameters():
        plain = parameter.ndim < 2 or "embeddings" in name or "position_bias" in name
        (kept if plain else decayed).append(parameter)
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": kept, "weight_decay": 0.0},
    ]


class MovingAverage:
    """Exponential moving average of the weights; the average is what is evaluated and exported."""

    def __init__(self, model: Glip, decay: float) -> None:
        self.decay = decay
        self.values = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: Glip, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.values[name].lerp_(value, 1 - decay)


def average_gradients(parameters: Sequence[torch.nn.Parameter], world: int) -> None:
    if world == 1:
        return
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    dist.all_reduce(flat)
    flat /= world
    start = 0
    for parameter, gradient in zip(parameters, gradients):
        parameter.grad = flat[start : start + gradient.numel()].view_as(gradient)
        start += gradient.numel()


def save_checkpoint(path: Path, **content: object) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


class Log:
    """Appends JSON lines; on resume drops lines after the checkpoint's step."""

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        if path.exists():
            lines = [line for line in path.read_text().splitlines() if json.loads(line)["step"] <= step]
            path.write_text("".join(line + "\n" for line in lines))

    def write(self, **values: object) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")


def validate(model: Glip, average: MovingAverage, tokenizer: Tokenizer, options: TrainOptions) -> dict:
    held = {k: v.detach().clone() for k, v in model.state_dict().items()}
    model.load_state_dict(average.values)
    model.eval()
    predictor = predictor_of_model(model, tokenizer)
    result = {}
    for split in ("test", "novel"):
        pairs = predict_scenes(predictor, split, VALIDATION_SEED, options.validate_scenes)
        result[split] = asdict(measure(pairs, best_threshold(pairs)))
    model.load_state_dict(held)
    model.train()
    return result


def step_loss(model: Glip, batch: Batch, device: torch.device) -> dict[str, torch.Tensor]:
    images, ids, mask = (t.to(device) for t in (batch.images, batch.input_ids, batch.attention_mask))
    targets = type(batch.targets)(*(t.to(device) for t in vars(batch.targets).values()))
    logits, box_reg, centerness = model(images, ids, mask)
    losses = detection_loss(
        logits.float(), box_reg.float(), centerness.float(), mask, targets, *images.shape[-2:]
    )
    return {"loss": losses.total, "token": losses.token, "box": losses.box, "centerness": losses.centerness}


def worker(rank: int, options: TrainOptions) -> None:
    world = options.processes
    if world > 1:
        store = f"file://{(options.to / 'rendezvous').resolve()}"
        dist.init_process_group("gloo", init_method=store, rank=rank, world_size=world)
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // world))
    device = torch.device("cuda", rank) if torch.cuda.is_available() else torch.device("cpu")
    torch.manual_seed(options.seed)
    tokenizer = Tokenizer(load_vocab(DEFAULT_VOCAB))
    model = build(CONFIGS["nano"]).to(device).train()
    optimiser = torch.optim.AdamW(parameter_groups(model, options.weight_decay), lr=options.lr)
    average = MovingAverage(model, options.ema)
    path = options.to / "checkpoint.pt"
    step = 0
    seconds = 0.0
    if path.exists():
        saved = torch.load(path, map_location=device, weights_only=True)
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        average.values = saved["average"]
        step, seconds = saved["step"], saved["seconds"]
    elif options.init is not None:
        model.load_state_dict(read_checkpoint(options.init)[0])
        average = MovingAverage(model, options.ema)
    log = Log(options.to / "log.jsonl", step) if rank == 0 else None
    parameters = [p for p in model.parameters() if p.requires_grad]
    batches: Iterator[Batch] = training_batches(options.seed, tokenizer, options.batch, step, rank, world)
    bar = tqdm(total=options.steps, initial=step, disable=rank != 0, unit="step", dynamic_ncols=True)
    started = saved_at = time.monotonic()
    sums: dict[str, float] = {}

    def save() -> None:
        save_checkpoint(
            path,
            model=model.state_dict(),
            average=average.values,
            optimiser=optimiser.state_dict(),
            step=step,
            seconds=seconds + time.monotonic() - started,
            config=asdict(CONFIGS["nano"]),
        )

    while step < options.steps:
        batch = next(batches)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, options)
        autocast = torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else contextlib.nullcontext()
        with autocast:
            losses = step_loss(model, batch, device)
        optimiser.zero_grad(set_to_none=True)
        losses["loss"].backward()
        average_gradients(parameters, world)
        norm = torch.nn.utils.clip_grad_norm_(parameters, options.clip)
        if not torch.isfinite(norm):
            raise SystemExit(f"step {step}: the gradient is not finite; lower --lr")
        optimiser.step()
        step += 1
        if rank != 0:
            _wait_for_validation(step, options, world)
            if _out_of_time(world, False):
                break
            continue
        average.update(model, step)
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        bar.update()
        assert log is not None
        if step % options.report_every == 0:
            means = {k: round(v / options.report_every, 4) for k, v in sums.items()}
            elapsed = seconds + time.monotonic() - started
            log.write(step=step, images=step * options.batch * world, seconds=round(elapsed), **means)
            bar.set_postfix(means)
            sums = {}
        if step % options.validate_every == 0 or step == options.steps:
            result = validate(model, average, tokenizer, options)
            log.write(step=step, images=step * options.batch * world, validation=result)
            bar.write(json.dumps({"step": step, **result}))
            held = predictor_of_model(_averaged(model, average), tokenizer)
            save_sheet(held, VALIDATION_SEED, options.to / f"step-{step:06d}.png")
            save()
        _wait_for_validation(step, options, world)
        if time.monotonic() - saved_at > options.save_minutes * 60:
            save()
            saved_at = time.monotonic()
        late = options.hours is not None and time.monotonic() - started > options.hours * 3600
        if _out_of_time(world, late):
            save()
            break
    else:
        if rank == 0:
            save()
    bar.close()
    if world > 1:
        dist.destroy_process_group()


def _averaged(model: Glip, average: MovingAverage) -> Glip:
    copy = build(model.config)
    copy.load_state_dict(average.values)
    return copy.eval()


def _wait_for_validation(step: int, options: TrainOptions, world: int) -> None:
    if world > 1 and (step % options.validate_every == 0 or step == options.steps):
        dist.barrier()


def _out_of_time(world: int, late: bool) -> bool:
    """Rank 0 decides for all, so that no process waits for one that has stopped."""
    if world == 1:
        return late
    flag = torch.tensor([1.0 if late else 0.0])
    dist.broadcast(flag, 0)
    return bool(flag.item())


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--to", type=Path, default=Path("training/nano"), help="work folder; continues what is in it")
    parser.add_argument("--init", type=Path, help="checkpoint whose averaged weights a new training starts from")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", type=int, default=8, help="scenes per process and step")
    parser.add_argument("--steps", type=int, default=20_000, help="length of the schedule")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--warmup", type=int, default=300)
    parser.add_argument("--weight-decay", type=float, default=0.02)
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--clip", type=float, default=1.0)
    parser.add_argument("--processes", type=int, default=0, help="default: one per core on CPU, 1 on GPU")
    parser.add_argument("--report-every", type=int, default=50)
    parser.add_argument("--save-minutes", type=float, default=3)
    parser.add_argument("--validate-every", type=int, default=1000)
    parser.add_argument("--validate-scenes", type=int, default=200)
    parser.add_argument("--hours", type=float, help="stop (with a checkpoint) after this long")
    args = parser.parse_args(argv)
    if args.processes == 0:
        args.processes = 1 if torch.cuda.is_available() else (os.cpu_count() or 1)
    options = TrainOptions(**vars(args))
    options.to.mkdir(parents=True, exist_ok=True)
    (options.to / "rendezvous").unlink(missing_ok=True)
    if options.processes == 1:
        worker(0, options)
    else:
        mp.spawn(worker, args=(options,), nprocs=options.processes)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
