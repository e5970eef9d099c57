"""The seed document's loop as it is printed, one target at a time: the oracle of the engine, and its peer in the benchmark."""

import torch

from helpers.softprompt import prompts


def generator_loss(model, target_tokens, prompt_embeds):
    """The document's `generator_loss_fn`: labels aligned with the tokens, the shift left to the model."""
    target_embeds = model.get_input_embeddings()(target_tokens)
    full_embeds = torch.cat([prompt_embeds.to(target_embeds.dtype), target_embeds], dim=0).unsqueeze(0)
    prompt_len = prompt_embeds.shape[0]
    labels = torch.full((1, full_embeds.shape[1]), -100, dtype=torch.long, device=target_tokens.device)
    labels[0, prompt_len:] = target_tokens
    return model(inputs_embeds=full_embeds, labels=labels).loss


def published_loss(model, target_tokens, prompt_embeds):
    """The same with the labels one place too early, as the published code has them."""
    target_embeds = model.get_input_embeddings()(target_tokens)
    full_embeds = torch.cat([prompt_embeds.to(target_embeds.dtype), target_embeds], dim=0).unsqueeze(0)
    prompt_len = prompt_embeds.shape[0]
    labels = torch.full((1, full_embeds.shape[1]), -100, dtype=torch.long, device=target_tokens.device)
    labels[0, prompt_len - 1 : prompt_len - 1 + len(target_tokens)] = target_tokens
    return model(inputs_embeds=full_embeds, labels=labels).loss


def loop(found, job, how, *, steps=None, loss=generator_loss, schedule=True):
    """torch.optim.Adam on one content, a pass a text: the losses before each update, (T, R), and the content at the end.

    steps: updates to make, of a schedule over how.steps.
    """
    with prompts.frozen(found):
        return _loop(found, job, how, steps, loss, schedule)


def until_solved(found, job, how):
    """The loop with the rule to stop: (solved, updates). Every how.every steps the margins are looked at, two passes more."""
    done = 0
    with prompts.frozen(found):
        both, unit = prompts.modes(found, how.mode), how.rate * prompts.spread(found) * job.rate
        content = prompts.start(found, job, how).to(found.model.device).requires_grad_(True)
        adam, best, kept = torch.optim.Adam([content], lr=unit), float("inf"), None
        while done < how.steps:
            if not how.flat:
                adam.param_groups[0]["lr"] = (
                    unit * 0.5 * (1 + torch.cos(torch.tensor(torch.pi * done / how.steps)).item())
                )
            adam.zero_grad()
            fronts = [content if both is None else torch.cat([both[t.side : t.side + 1], content]) for t in job.texts]
            ids = [torch.tensor(t.ids, device=content.device) for t in job.texts]
            each = [generator_loss(found.model, i, f) for i, f in zip(ids, fronts, strict=True)]
            whole = sum(each)
            whole.backward()
            if how.clip is not None:
                torch.nn.utils.clip_grad_norm_([content], how.clip)
            adam.step()
            done += 1
            seen = [
                x.item() for x in (whole.detach(), *(e.detach() for e in each))
            ]  # the published loop's three looks a step
            if seen[0] < best:
                best, kept = seen[0], content.detach().clone()
                assert kept.shape == content.shape
            if done % how.every == 0 and _solved(found, job, how, content.detach(), both):
                return True, done
    return False, done


@torch.no_grad()
def _solved(found, job, how, content, both):
    for text in job.texts:
        front = content if both is None else torch.cat([both[text.side : text.side + 1], content])
        ids = torch.tensor([text.ids], device=content.device)
        logits = prompts.logits(found, front[None], prompts.embed(found, ids)[:, :-1])
        if prompts.margins(logits, ids, torch.ones_like(ids, dtype=torch.bool)).item() <= how.margin:
            return False
    return True


def _loop(found, job, how, steps, loss, schedule):
    device = found.model.device
    both = prompts.modes(found, how.mode)
    params = [prompts.start(found, job, how).to(device).requires_grad_(True)]
    if how.mode == "learned":
        both = both.clone().requires_grad_(True)
        params.append(both)
    rate = how.rate * prompts.spread(found) * job.rate
    adam = torch.optim.Adam(params, lr=rate)
    total = how.steps if schedule and not how.flat else None
    curve = []
    for step in range(steps or how.steps):
        if total:
            for group in adam.param_groups:
                group["lr"] = rate * 0.5 * (1 + torch.cos(torch.tensor(torch.pi * step / total)).item())
        adam.zero_grad()
        each = []
        for text in job.texts:
            front = params[0] if both is None else torch.cat([both[text.side : text.side + 1], params[0]])
            each.append(loss(found.model, torch.tensor(text.ids, device=device), front))
        sum(w.weight * x for w, x in zip(job.texts, each, strict=True)).backward()
        if how.clip is not None:
            torch.nn.utils.clip_grad_norm_(params, how.clip)
        adam.step()
        curve.append([x.item() for x in each])
    return torch.tensor(curve), params[0].detach()
