"""Training losses of GLIP's dynamic head: ATSS assignment, token focal loss, GIoU, centerness.

Boxes here follow GLIP's pixel-index convention: corners are the first and the last pixel inside, so a
width is ``x2 - x1 + 1`` (maskrcnn_benchmark's BoxList). Everything is batched with padding, because a
loop over images costs more than the arithmetic on small models.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

STRIDES = (8, 16, 32, 64, 128)
ANCHOR_SCALE = 8
CANDIDATES_PER_LEVEL = 9
BOX_WEIGHTS = (10.0, 10.0, 5.0, 5.0)
MAX_LOG_SIZE = math.log(1000 / 16)


@dataclass(frozen=True)
class Targets:
    """Ground truth of a batch, padded to the same number of boxes.

    boxes: [B, G, 4] xyxy in pixels of the resized image; valid: [B, G] bool;
    tokens: [B, G, T] bool, the tokens of every phrase that means the box.
    """

    boxes: Tensor
    valid: Tensor
    tokens: Tensor


@dataclass(frozen=True)
class Losses:
    token: Tensor
    box: Tensor
    centerness: Tensor

    @property
    def total(self) -> Tensor:
        return self.token + self.box + self.centerness


def level_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Feature map sizes of P3..P7 for a padded input (both sides multiples of 32)."""
    sizes = [(height // 8, width // 8), (height // 16, width // 16), (height // 32, width // 32)]
    for _ in range(2):
        h, w = sizes[-1]
        sizes.append(((h + 1) // 2, (w + 1) // 2))
    return sizes


def anchor_centers(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor, list[int]]:
    """Anchor centres [N, 2], anchor sides [N], and the number of anchors of each level."""
    centers, sides, counts = [], [], []
    for stride, (h, w) in zip(STRIDES, level_sizes(height, width)):
        y = torch.arange(h, device=device, dtype=torch.float32) * stride + (stride - 1) / 2
        x = torch.arange(w, device=device, dtype=torch.float32) * stride + (stride - 1) / 2
        grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
        centers.append(torch.stack([grid_x.reshape(-1), grid_y.reshape(-1)], dim=1))
        sides.append(torch.full((h * w,), float(stride * ANCHOR_SCALE), device=device))
        counts.append(h * w)
    return torch.cat(centers), torch.cat(sides), counts


def decode(deltas: Tensor, centers: Tensor, sides: Tensor) -> Tensor:
    """Box deltas [..., N, 4] to xyxy corners, as at inference (no clipping)."""
    dx, dy, dw, dh = (deltas / deltas.new_tensor(BOX_WEIGHTS)).unbind(-1)
    cx = dx * sides + centers[:, 0]
    cy = dy * sides + centers[:, 1]
    half_w = (dw.clamp(max=MAX_LOG_SIZE).exp() * sides - 1) / 2
    half_h = (dh.clamp(max=MAX_LOG_SIZE).exp() * sides - 1) / 2
    return torch.stack([cx - half_w, cy - half_h, cx + half_w, cy + half_h], dim=-1)


def pairwise_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU of [..., G, 4] with [..., N, 4] -> [..., G, N], pixel-index convention."""
    low = torch.maximum(a[..., :, None, :2], b[..., None, :, :2])
    high = torch.minimum(a[..., :, None, 2:], b[..., None, :, 2:])
    inter = (high - low + 1).clamp(min=0).prod(-1)
    area_a = (a[..., 2:] - a[..., :2] + 1).clamp(min=0).prod(-1)
    area_b = (b[..., 2:] - b[..., :2] + 1).clamp(min=0).prod(-1)
    return inter / (area_a[..., :, None] + area_b[..., None, :] - inter).clamp(min=1e-6)


def giou_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """1 - GIoU of paired boxes [M, 4] -> [M]."""
    low = torch.maximum(predicted[:, :2], target[:, :2])
    high = torch.minimum(predicted[:, 2:], target[:, 2:])
    inter = (high - low + 1).clamp(min=0).prod(-1)
    area_p = (predicted[:, 2:] - predicted[:, :2] + 1).clamp(min=0).prod(-1)
    area_t = (target[:, 2:] - target[:, :2] + 1).prod(-1)
    union = (area_p + area_t - inter).clamp(min=1e-6)
    hull_low = torch.minimum(predicted[:, :2], target[:, :2])
    hull_high = torch.maximum(predicted[:, 2:], target[:, 2:])
    hull = (hull_high - hull_low + 1).clamp(min=0).prod(-1).clamp(min=1e-6)
    return 1 - inter / union + (hull - union) / hull


@torch.no_grad()
def assign(targets: Targets, centers: Tensor, sides: Tensor, counts: list[int]) -> Tensor:
    """ATSS (arXiv 1912.02424): for each anchor the index of its box, or -1. Returns [B, N].

    Candidates are the 9 anchors nearest to the box centre on each level; positive are those whose IoU
    reaches mean + standard deviation of the candidates and whose centre lies inside the box. An anchor
    claimed twice goes to the box with the larger IoU.
    """
    boxes, valid = targets.boxes, targets.valid
    batch, _, _ = boxes.shape
    half = (sides - 1)[:, None] / 2
    anchors = torch.cat([centers - half, centers + half], dim=1)
    iou = pairwise_iou(boxes, anchors.expand(batch, -1, -1))
    box_center = (boxes[..., :2] + boxes[..., 2:]) / 2
    distance = torch.cdist(box_center, centers.expand(batch, -1, -1))
    candidates = []
    start = 0
    for count in counts:
        k = min(CANDIDATES_PER_LEVEL, count)
        candidates.append(distance[..., start : start + count].topk(k, dim=-1, largest=False).indices + start)
        start += count
    index = torch.cat(candidates, dim=-1)
    candidate_iou = iou.gather(-1, index)
    threshold = candidate_iou.mean(-1, keepdim=True) + candidate_iou.std(-1, keepdim=True)
    x, y = centers[:, 0][index], centers[:, 1][index]
    inside = (
        (x > boxes[..., 0:1]) & (x < boxes[..., 2:3]) & (y > boxes[..., 1:2]) & (y < boxes[..., 3:4])
    )
    positive = (candidate_iou >= threshold) & inside & valid[..., None]
    # A box too small to hold an above-average anchor centre would get none: give it the nearest one.
    nearest = torch.zeros_like(positive)
    nearest.scatter_(-1, candidate_iou.argmax(-1, keepdim=True), True)
    positive |= nearest & valid[..., None] & ~positive.any(-1, keepdim=True)
    claim = torch.full_like(iou, -1.0)
    claim.scatter_(-1, index, torch.where(positive, candidate_iou, -torch.ones_like(candidate_iou)))
    best, owner = claim.max(dim=1)
    return torch.where(best >= 0, owner, torch.full_like(owner, -1))


def token_focal_loss(logits: Tensor, target: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Sigmoid focal loss per element (GLIP's token_sigmoid_binary_focal_loss)."""
    prob = torch.sigmoid(logits)
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    miss = prob + target - 2 * prob * target
    weight = (1 - alpha) + (2 * alpha - 1) * target
    return weight * miss.pow(gamma) * cross_entropy


def detection_loss(
    logits: Tensor,
    box_reg: Tensor,
    centerness: Tensor,
    attention_mask: Tensor,
    targets: Targets,
    height: int,
    width: int,
) -> Losses:
    """Losses of one batch; normalised by the number of positive anchors, as in ATSS."""
    centers, sides, counts = anchor_centers(height, width, logits.device)
    owner = assign(targets, centers, sides, counts)
    positive = owner >= 0
    n_positive = positive.sum().clamp(min=1).float()
    picked = owner.clamp(min=0)

    token_target = targets.tokens.float().gather(
        1, picked[..., None].expand(-1, -1, targets.tokens.shape[-1])
    )
    token_target = token_target * positive[..., None]
    valid_token = attention_mask[:, None, :].to(logits.dtype)
    token = (token_focal_loss(logits, token_target) * valid_token).sum() / n_positive

    box_target = targets.boxes.gather(1, picked[..., None].expand(-1, -1, 4))[positive]
    predicted = decode(box_reg, centers, sides)[positive]
    center = centers.expand(len(owner), -1, -1)[positive]
    left_top = (center - box_target[:, :2]).clamp(min=0.01)
    right_bottom = (box_target[:, 2:] - center).clamp(min=0.01)
    ratio = torch.minimum(left_top, right_bottom) / torch.maximum(left_top, right_bottom)
    centerness_target = ratio.prod(-1).sqrt()
    weight_sum = centerness_target.sum().clamp(min=1e-3)
    box = 2.0 * (giou_loss(predicted, box_target) * centerness_target).sum() / weight_sum
    center_loss = (
        F.binary_cross_entropy_with_logits(centerness[positive], centerness_target, reduction="sum")
        / n_positive
    )
    return Losses(token, box, center_loss)
