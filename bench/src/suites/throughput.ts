import type { SandboxOptions } from '@peerhost/sandbox'
import { burst, sustained } from '../lib/load.ts'
import { call, withSandbox } from '../lib/sandbox-runs.ts'
import { percentile } from '../lib/statistics.ts'
import { createFreshJails } from '../peers/fresh-jail.ts'
import type { SuiteOptions } from './suite.ts'

/** Twice as many as there are jails: each always has a next request. */
const CALLERS = 4
const BURST = 20

/** Executions per second on two jails, and many requests at once. */
export async function throughput({ results, quick, fn }: SuiteOptions): Promise<void> {
  const seconds = quick ? 1 : 6
  const two = (forkPoint: SandboxOptions['forkPoint']) => ({ forkPoint, maxJailsPerFunction: 2 })

  const perSecond = (name: string, options: SandboxOptions) =>
    withSandbox(options, async (sandbox) => {
      await sandbox.prepare(fn(name))
      const once = () => call(sandbox, fn(name))
      await sustained(CALLERS, 1, once)
      return sustained(CALLERS, seconds, once)
    })

  const fresh = createFreshJails()
  await fresh.call()
  const freshRate = await sustained(2, seconds, fresh.call)
  const hello = await perSecond('hello', two('auto'))
  fresh.close()
  results.add(
    {
      name: 'fresh nsjail + Node for each request, two at once',
      value: freshRate,
      unit: '/s',
      note: 'neither cgroups nor seccomp',
    },
    { name: 'sustained, hello, two jails', value: hello, unit: '/s', must: 550, atLeast: true },
    {
      name: 'sustained, hello, against fresh nsjail + Node',
      value: hello / freshRate,
      unit: 'x',
      must: 9,
      atLeast: true,
    },
    { name: 'sustained, hello, two jails at blank', value: await perSecond('hello', two('blank')), unit: '/s' },
    {
      name: 'sustained, hello, two jails, verification none',
      value: await perSecond('helloNone', two('auto')),
      unit: '/s',
    },
  )
  for (const [name, what, must] of [
    ['express', 'Express as it is', 270],
    ['expressWarm', 'Express with warmup', 340],
  ] as const) {
    const value = await perSecond(name, two('loaded'))
    const peer = { name: 'hello', value: hello }
    results.add({ name: `sustained, ${what}, two jails at loaded`, value, unit: '/s', must, atLeast: true, peer })
  }
  for (const [name, must] of [
    ['hello', 42],
    ['express', 80],
  ] as const) {
    const value = await withSandbox(two('loaded'), async (sandbox) => {
      await sandbox.prepare(fn(name))
      const lasts: number[] = []
      for (let round = 0; round < (quick ? 3 : 10); round++)
        lasts.push(await burst(BURST, () => call(sandbox, fn(name))))
      return percentile(lasts.slice(1), 0.5)
    })
    results.add({ name: `${BURST} requests at once, ${name}, two jails at loaded: last`, value, unit: 'ms', must })
  }
}
