import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { get } from '../lib/fixtures.ts'
import { heldBy, ownNumbers } from '../lib/held.ts'
import { commandOf, descendantsOf, jails } from '../lib/processes.ts'
import { call, withSandbox } from '../lib/sandbox-runs.ts'
import { percentile } from '../lib/statistics.ts'
import type { SuiteOptions } from './suite.ts'

const EXECUTIONS = 20_000
const QUICK_EXECUTIONS = 800
const CALLERS = 4
const KILL_EVERY_MS = 400
const SAMPLES = 40
/** Below it memory counts as flat. */
const GROWTH_MB = 16
const MEGABYTE = 1024 * 1024
/** Most are cheap; the others load much, write nothing, or use the thread pool. */
const MIX = ['hello', 'hello', 'hello', 'helloNone', 'hono', 'digest', 'expressWarm', 'files']

/** Executions while processes of jails are killed at random: each is answered, and nothing is left. */
export async function soak({ results, quick, fn }: SuiteOptions): Promise<void> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const total = quick ? QUICK_EXECUTIONS : EXECUTIONS

  await withSandbox({}, (sandbox) => call(sandbox, fn('hello'))) // what a first sandbox opens for good
  const before = heldBy(0).descriptors
  const outcomes = new Map<string, number>()
  const memory: { heap: number; resident: number }[] = []
  const killed = { nsjail: 0, zygote: 0, child: 0 }
  let [started, number, seconds] = [0, 0, 0]

  const count = (name: string) => outcomes.set(name, (outcomes.get(name) ?? 0) + 1)
  const sample = () => {
    collect()
    const { heapUsed, external, rss } = process.memoryUsage()
    memory.push({ heap: (heapUsed + external) / MEGABYTE, resident: rss / MEGABYTE })
  }

  await withSandbox({ maxJailsPerFunction: 3 }, async (sandbox) => {
    number = ownNumbers()[0]!
    for (const name of new Set(MIX)) await sandbox.prepare(fn(name))
    const stopped = new AbortController()
    const killing = killRegularly(killed, stopped.signal)
    const began = performance.now()
    await Promise.all(
      Array.from({ length: CALLERS }, async () => {
        for (let index = started++; index < total; index = started++) {
          const f = fn(MIX[index % MIX.length]!)
          const { status, error } = await sandbox.execute(f, get(f))
          count(status === 0 ? 'answered' : (error?.code ?? `status ${status}`))
          if (index % Math.ceil(total / SAMPLES) === 0) sample()
        }
      }),
    )
    seconds = (performance.now() - began) / 1000
    stopped.abort()
    await killing
    for (const name of new Set(MIX)) await call(sandbox, fn(name)) // it serves all of them after all that
  })

  const children = descendantsOf(process.pid).map((pid) => commandOf(pid).slice(0, 40))
  const { processes, descriptors, mounts, cgroups, folders } = heldBy(number)
  const kills = killed.nsjail + killed.zygote + killed.child
  const failed = total - (outcomes.get('answered') ?? 0)
  const none = { unit: 'left', must: 0 }
  const growth = (of: 'heap' | 'resident') => {
    const values = memory.map((one) => one[of])
    const quarter = Math.floor(values.length / 4)
    return percentile(values.slice(-quarter), 0.5) - percentile(values.slice(quarter, 2 * quarter), 0.5)
  }
  results.add(
    {
      name: 'soak: executions',
      value: total,
      unit: '',
      note: `${[...outcomes].map((one) => one.join(' ')).join(', ')}`,
    },
    { name: 'soak: rate with kills', value: total / seconds, unit: '/s' },
    {
      name: 'soak: kills',
      value: kills,
      unit: '',
      note: Object.entries(killed)
        .map((one) => one.join(' '))
        .join(', '),
    },
    { name: 'soak: executions that failed', value: failed, unit: '', must: kills, note: 'a kill may take one with it' },
    { name: 'soak: processes', value: Math.max(processes, children.length), ...none, note: children.join(' | ') },
    { name: 'soak: control groups', value: cgroups, ...none },
    { name: 'soak: descriptors', value: descriptors - before, ...none },
    { name: 'soak: mounts', value: mounts, ...none },
    { name: 'soak: folders', value: folders, ...none },
    { name: 'soak: heap, second to last quarter', value: growth('heap'), unit: 'MB', must: GROWTH_MB },
    { name: 'soak: resident memory, second to last quarter', value: growth('resident'), unit: 'MB', must: GROWTH_MB },
  )
}

/** Kills one process of one jail, again and again: nsjail, the zygote or the child. */
async function killRegularly(killed: { nsjail: number; zygote: number; child: number }, stop: AbortSignal) {
  while (!stop.aborted) {
    await sleep(KILL_EVERY_MS * (0.5 + Math.random()), undefined, { signal: stop }).catch(() => {})
    const all = jails()
    const jail = all[Math.floor(Math.random() * all.length)]
    const role = (['nsjail', 'zygote', 'child'] as const)[Math.floor(Math.random() * 3)]!
    const pid = jail?.[role]
    if (pid === undefined || stop.aborted) continue
    try {
      process.kill(pid, 'SIGKILL')
      killed[role]++
    } catch {} // it has ended by itself
  }
}
