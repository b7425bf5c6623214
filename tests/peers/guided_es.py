"""One step of Guided-ES, without the objective: evosax, compiled."""

import jax
import jax.numpy as jnp
from evosax.algorithms import GuidedES

PAIRS = 4
SUBSPACE = 5


def step(dimensions):
    strategy = GuidedES(2 * PAIRS, jnp.zeros(dimensions), subspace_dims=SUBSPACE)
    params = strategy.default_params
    keys = jax.random.split(jax.random.key(0), SUBSPACE + 3)
    state = strategy.init(keys[0], jnp.zeros(dimensions), params)
    gradients = jax.random.normal(keys[1], (SUBSPACE, dimensions))
    values = jax.random.normal(keys[2], (2 * PAIRS,))

    @jax.jit
    def one(key, state, gradient):
        population, state = strategy.ask(key, state.replace(grad=gradient), params)
        state, _ = strategy.tell(key, population, values, state, params)
        return population, state

    for key, gradient in zip(keys[3:], gradients):
        _, state = one(key, state, gradient)
    holder = {"state": state, "key": keys[0]}

    def call():
        holder["key"], key = jax.random.split(holder["key"])
        population, holder["state"] = one(key, holder["state"], gradients[0])
        jax.block_until_ready((population, holder["state"]))

    return call


def cases(inputs, threads):
    return {f"D = {dimensions:,} evosax": step(dimensions) for dimensions in (400, 2240, 20_000)}
