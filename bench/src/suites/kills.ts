import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { get } from '../lib/fixtures.ts'
import { untilWaiting, withSandbox } from '../lib/sandbox-runs.ts'
import { percentile } from '../lib/statistics.ts'
import type { SuiteOptions } from './suite.ts'

const LOOK_FROM_MS = 20

/** From the end of a function's time to its answer and to the end of its process. */
export async function kills({ results, quick, fn }: SuiteOptions): Promise<void> {
  for (const [name, what] of [
    ['endless', 'endless loop'],
    ['waiting', 'promise that never settles'],
  ] as const) {
    const [answered, gone]: [number[], number[]] = [[], []]
    const limit = fn(name).definition.timeout * 1000
    await withSandbox({ blankJails: 1, maxJailsPerFunction: 1 }, async (sandbox) => {
      for (let round = 0; round < (quick ? 2 : 8); round++) {
        await sandbox.prepare(fn(name))
        const [jail] = await untilWaiting(1)
        const began = performance.now()
        const answer = sandbox.execute(fn(name), get(fn(name))).then(({ status }) => {
          if (status !== 2) throw new Error(`${name} ended with status ${status} instead of a timeout`)
          answered.push(performance.now() - began - limit)
        })
        await sleep(limit - LOOK_FROM_MS)
        while (existsSync(`/proc/${jail!.child}`)) await new Promise((done) => setImmediate(done))
        gone.push(performance.now() - began - limit)
        await answer
      }
    })
    results.add(
      {
        name: `kill after timeout, ${what}: process gone, p50`,
        value: percentile(gone, 0.5),
        unit: 'ms',
        must: 15,
        note: `worst ${percentile(gone, 1).toFixed(1)}`,
      },
      { name: `kill after timeout, ${what}: answer, p50`, value: percentile(answered, 0.5), unit: 'ms' },
    )
  }
}
