"""wkv6 in Triton, for backend_torch.py --kernel triton: a program a sequence and head, its state in registers from token to token."""

import itertools

import torch
import triton
import triton.language as tl


@triton.jit
def recurrence(r, k, v, d, u, S_before, ends, y, S_after, H, N: tl.constexpr, P: tl.constexpr):
    """P: N rounded up to a power of two, which blocks have to be."""
    b, h = tl.program_id(0), tl.program_id(1)
    i = tl.arange(0, P)
    inside = i < N
    place = ((b * H + h) * N + i[:, None]) * N + i[None, :]  # key rows, value columns
    square = inside[:, None] & inside[None, :]
    S = tl.load(S_before + place, mask=square, other=0.0)
    bonus = tl.load(u + h * N + i, mask=inside, other=0.0)
    for t in range(tl.load(ends + b), tl.load(ends + b + 1)):
        row = (t * H + h) * N + i
        rt = tl.load(r + row, mask=inside, other=0.0).to(tl.float32)
        kt = tl.load(k + row, mask=inside, other=0.0).to(tl.float32)
        vt = tl.load(v + row, mask=inside, other=0.0).to(tl.float32)
        dt = tl.load(d + row, mask=inside, other=0.0)
        kv = kt[:, None] * vt[None, :]
        tl.store(y + row, tl.sum(rt[:, None] * (S + bonus[:, None] * kv), axis=0), mask=inside)  # WKV.1, before the update
        S = dt[:, None] * S + kv  # WKV.2
    tl.store(S_after + place, S, mask=square)


def wkv6(r, k, v, d, u=None, lengths=None, S=None, head_size=None):
    """As in backend_torch.py: r, k, v of the format, decays and states of float32."""
    N = head_size or (u if u is not None else S).shape[-1]
    lengths, H = lengths or [len(r)], r.shape[1] // N
    ends = torch.tensor([0, *itertools.accumulate(lengths)], dtype=torch.int32, device=r.device)
    zeros = lambda *shape: torch.zeros(shape, device=r.device)
    S_before = zeros(len(lengths), H, N, N) if S is None else S
    bonus = zeros(H, N) if u is None else u.float()
    y, S_after = torch.empty_like(r), torch.empty_like(S_before)
    given = [x.contiguous() for x in (r, k, v, d.float(), bonus, S_before, ends)]
    recurrence[len(lengths), H](*given, y, S_after, H, N=N, P=triton.next_power_of_2(N))
    return y, S_after
