import { another } from '../lib/fixtures.ts'
import { burst } from '../lib/load.ts'
import { proportionalMb } from '../lib/processes.ts'
import { call, untilBlank, untilWaiting, withSandbox } from '../lib/sandbox-runs.ts'
import { percentile, summarise } from '../lib/statistics.ts'
import type { SuiteOptions } from './suite.ts'

const BLANKS = 2
const SERVICES = 20
const JAILS = 12

/** First calls of functions, and what a waiting jail takes. */
export async function starts({ results, quick, fn }: SuiteOptions): Promise<void> {
  for (const [name, must] of [
    ['hello', 6],
    ['hono', 10],
    ['express', 35],
  ] as const) {
    const samples = await withSandbox({ blankJails: BLANKS }, async (sandbox) => {
      await sandbox.prepare(fn(name)) // makes the code cache, which goes by the digest
      const firsts: number[] = []
      for (let sample = 0; sample < (quick ? 4 : 15); sample++) {
        const fresh = another(fn(name))
        await untilBlank(BLANKS)
        firsts.push(await burst(1, () => call(sandbox, fresh)))
      }
      return firsts
    })
    const { p50, max } = summarise(samples)
    results.add({
      name: `cold start from a blank jail, ${name}: p50`,
      value: p50,
      unit: 'ms',
      must,
      note: `worst ${max.toFixed(0)}`,
    })

    const many = await withSandbox({ blankJails: BLANKS }, async (sandbox) => {
      await sandbox.prepare(fn(name))
      await untilBlank(BLANKS)
      const services = Array.from({ length: SERVICES }, () => another(fn(name)))
      return Promise.all(services.map((service) => burst(1, () => call(sandbox, service))))
    })
    const { p50: middle, max: last } = summarise(many)
    const note = `last ${last.toFixed(0)}, ${BLANKS} blank jails were waiting`
    results.add({
      name: `${SERVICES} services called for the first time at once, ${name}: p50`,
      value: middle,
      unit: 'ms',
      note,
    })
  }

  for (const [name, must] of [
    ['hello', 32],
    ['express', 42],
  ] as const) {
    for (const forkPoint of ['loaded', 'blank'] as const) {
      const value = await withSandbox({ blankJails: 0, forkPoint }, async (sandbox) => {
        for (let jail = 0; jail < JAILS; jail++) {
          const one = another(fn(name))
          await sandbox.prepare(one)
          await call(sandbox, one)
        }
        const waiting = await untilWaiting(JAILS)
        return percentile(
          waiting.map(({ zygote, child }) => proportionalMb(zygote) + proportionalMb(child)),
          0.5,
        )
      })
      results.add({
        name: `waiting jail with its child, ${name} at ${forkPoint}, PSS, ${JAILS} jails`,
        value,
        unit: 'MB',
        must,
      })
    }
  }
}
