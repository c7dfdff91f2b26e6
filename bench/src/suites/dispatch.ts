import type { Sandbox, SandboxFunction } from '@peerhost/sandbox'
import { createHttpClient } from '../lib/http-client.ts'
import { paced } from '../lib/load.ts'
import { call, untilBlank, withSandbox } from '../lib/sandbox-runs.ts'
import { type Summary, summarise } from '../lib/statistics.ts'
import { startNodeServer } from '../peers/node-server.ts'
import { startWorkerd } from '../peers/workerd.ts'
import type { SuiteOptions } from './suite.ts'

const BLANKS = 2

/** Dispatch in the worker: from a request that has arrived to its whole answer, one process for each. */
export async function dispatch({ results, quick, fn }: SuiteOptions): Promise<void> {
  const count = (rate: number) => rate * (quick ? 2 : 10)

  async function measure(sandbox: Sandbox, f: SandboxFunction, rate: number): Promise<Summary & { cold: number }> {
    await paced(rate, 2 * rate, () => call(sandbox, f)) // until it has the jails that this rate needs
    await untilBlank(BLANKS) // which are replaced in the background
    let cold = 0
    const samples = await paced(rate, count(rate), async () => {
      if ((await call(sandbox, f)) === 'cold') cold++
    })
    return { ...summarise(samples), cold: (100 * cold) / samples.length }
  }

  const inSandbox = (name: string, rate: number) =>
    withSandbox({ blankJails: BLANKS }, async (sandbox) => {
      await sandbox.prepare(fn(name))
      return measure(sandbox, fn(name), rate)
    })

  async function overHttp(url: string, rate: number): Promise<Summary> {
    const client = createHttpClient(url, 16, (reason) => {
      throw new Error(reason)
    })
    await paced(rate, rate, client.get)
    const samples = await paced(rate, count(rate), client.get)
    client.close()
    return summarise(samples)
  }

  const waited = (cold: number) => `${cold.toFixed(1)} % waited for a jail`
  const [nodeServer, workerd] = [await startNodeServer(), await startWorkerd(await fn('helloFetch').bundle(), '/')]
  try {
    for (const rate of [100, 200]) {
      const plain = await overHttp(`${nodeServer.url}/hello`, rate)
      const isolate = await overHttp(`${workerd.url}/hello`, rate)
      const { p50, p99, cold } = await inSandbox('hello', rate)
      const without = await inSandbox('helloNone', rate)
      const at = (what: string) => `dispatch, hello, ${rate}/s: ${what}`
      const peer = (value: number) => ({ name: 'workerd over HTTP', value })
      results.add(
        { name: at('plain Node over HTTP, p50'), value: plain.p50, unit: 'ms', note: `p99 ${plain.p99.toFixed(2)}` },
        { name: at('p50'), value: p50, unit: 'ms', must: 0.6, peer: peer(isolate.p50), note: waited(cold) },
        { name: at('p99'), value: p99, unit: 'ms', must: 2.5, peer: peer(isolate.p99) },
        {
          name: at('p50, verification none'),
          value: without.p50,
          unit: 'ms',
          peer: { name: 'deterministic', value: p50 },
        },
      )
    }
  } finally {
    await Promise.all([nodeServer.close(), workerd.close()])
  }

  const hello = await inSandbox('hello', 100)
  const big = await inSandbox('big', 100)
  results.add({
    name: 'dispatch, 2 MB bundle, 100/s: p50 above hello',
    value: big.p50 - hello.p50,
    unit: 'ms',
    must: 0.3,
    note: `${big.p50.toFixed(2)} and ${hello.p50.toFixed(2)}, ${waited(big.cold)}`,
  })
  const handlers: [string, string, number][] = [
    ['express', 'Express 5 through serverless-http', 4],
    ['expressWarm', 'Express 5 with warmup', 2],
    ['hono', 'Hono through hono/aws-lambda', 3],
    ['honoWarm', 'Hono with warmup', 1.6],
    ['fetch', 'one refused fetch', 6],
    ['files', 'one fs.promises call', 3],
    ['digest', 'one subtle digest', 3],
  ]
  for (const [name, what, must] of handlers) {
    const { p50, p99, cold } = await inSandbox(name, 100)
    const note = `p99 ${p99.toFixed(2)}, ${waited(cold)}`
    const peer = { name: 'hello', value: hello.p50 }
    results.add({ name: `dispatch, ${what}, 100/s: p50`, value: p50, unit: 'ms', must, peer, note })
  }
}
