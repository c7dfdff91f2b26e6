import { createPayingFetch } from '@peerhost/client'
import { NETWORKS } from '@peerhost/protocol'
import { FIXTURES } from '../lib/fixtures.ts'
import { createHttpClient, type HttpAnswer } from '../lib/http-client.ts'
import { oneByOne, paced, sustained } from '../lib/load.ts'
import { copyService, startNetwork } from '../lib/network.ts'
import { type Summary, summarise } from '../lib/statistics.ts'
import { startNodeServer } from '../peers/node-server.ts'
import { startWorkerd } from '../peers/workerd.ts'
import type { SuiteOptions } from './suite.ts'

const RATE = 100
const CONNECTIONS = 16
const BLOCK_SECONDS = 2

/** Free and paid calls through gateway and worker, with the load generator on the same cores. */
export async function http({ results, quick, fn }: SuiteOptions): Promise<void> {
  const seconds = quick ? 2 : 10
  const failures: string[] = []

  async function measure(url: string, look?: (answer: HttpAnswer) => void): Promise<Summary & { perSecond: number }> {
    const client = createHttpClient(url, CONNECTIONS, (reason) => failures.push(reason))
    await paced(RATE, RATE, client.get)
    const samples = await paced(RATE, RATE * seconds, async () => {
      const answer = await client.get()
      look?.(answer)
    })
    await sustained(CONNECTIONS, 1, client.get)
    const perSecond = await sustained(CONNECTIONS, seconds, client.get)
    client.close()
    return { ...summarise(samples), perSecond }
  }

  const service = copyService(FIXTURES)
  const network = await startNetwork(['--workers', '1'])
  const plainPeer = await startNodeServer()
  const helloPeer = await startWorkerd(await fn('helloFetch').bundle(), '/hello-fetch')
  const honoPeer = await startWorkerd(await fn('honoFetch').bundle(), '/hono-fetch/hello')
  try {
    const { url } = await network.deploy(service)
    const plain = await measure(`${plainPeer.url}/hello`)
    const parts = new Map<string, number[]>()
    const hello = await measure(`${url}/hello`, ({ headers }) => {
      for (const [, name, ms] of String(headers['server-timing']).matchAll(/(\w+);dur=([\d.]+)/g))
        parts.set(name!, [...(parts.get(name!) ?? []), Number(ms)])
    })
    const isolate = await measure(`${helloPeer.url}/hello-fetch`)
    const workerd = (value: number) => ({ name: 'workerd', value })
    const timing = [...parts].map(([name, values]) => `${name} ${summarise(values).p50.toFixed(2)}`)
    const at = `http, free, ${RATE}/s`
    const rate = `http, free, ${CONNECTIONS} connections`
    results.add(
      { name: `${at}: plain Node, p50`, value: plain.p50, unit: 'ms', note: `p99 ${plain.p99.toFixed(2)}` },
      {
        name: `${at}: hello, p50`,
        value: hello.p50,
        unit: 'ms',
        must: 2,
        peer: workerd(isolate.p50),
        note: timing.join(', '),
      },
      { name: `${at}: hello, p99`, value: hello.p99, unit: 'ms', must: 8, peer: workerd(isolate.p99) },
      { name: `${rate}: plain Node`, value: plain.perSecond, unit: '/s' },
      {
        name: `${rate}: hello`,
        value: hello.perSecond,
        unit: '/s',
        must: 350,
        atLeast: true,
        peer: workerd(isolate.perSecond),
      },
    )
    const short = await measure(`${url}/hello-fetch`)
    results.add(
      { name: `${at}: hello as a Fetch handler, p50`, value: short.p50, unit: 'ms', peer: workerd(isolate.p50) },
      {
        name: `${rate}: hello as a Fetch handler`,
        value: short.perSecond,
        unit: '/s',
        peer: workerd(isolate.perSecond),
      },
    )
    const honoIsolate = await measure(`${honoPeer.url}/hono-fetch/hello`)
    for (const [route, what] of [
      ['hono-fetch', 'Hono as a Fetch handler'],
      ['hono', 'Hono through hono/aws-lambda'],
      ['hono-warm', 'Hono with warmup'],
      ['express-warm', 'Express 5 with warmup'],
    ]) {
      const { p50, p99, perSecond } = await measure(`${url}/${route}/hello`)
      const peer = { name: 'workerd with Hono', value: honoIsolate.p50 }
      const note = `p99 ${p99.toFixed(1)}, ${perSecond.toFixed(0)}/s`
      results.add({ name: `${at}: ${what}, p50`, value: p50, unit: 'ms', peer, note })
    }
    results.add({ name: 'http: answers other than 200', value: failures.length, unit: '', must: 0, note: failures[0] })
    await paid({
      results,
      quick,
      url: `${url}/paid`,
      signer: network.file.accounts!.payer.privateKey,
      blocks: 'instant blocks',
    })
  } finally {
    await Promise.all([plainPeer.close(), helloPeer.close(), honoPeer.close(), network.stop()])
  }

  const slow = await startNetwork(['--workers', '1', '--block-time', String(BLOCK_SECONDS)])
  try {
    const { url } = await slow.deploy(service)
    const blocks = `${BLOCK_SECONDS} s blocks`
    await paid({ results, quick, url: `${url}/paid`, signer: slow.file.accounts!.payer.privateKey, blocks })
  } finally {
    await slow.stop()
    service.remove()
  }
}

interface PaidOptions extends Pick<SuiteOptions, 'results' | 'quick'> {
  url: string
  signer: `0x${string}`
  /** How the chain mines, for the figure's name. */
  blocks: string
}

/** A paid call by the client: the refusal with the offer, the signature, the call with the payment. */
async function paid({ results, quick, url, signer, blocks }: PaidOptions): Promise<void> {
  const exchanges: number[][] = []
  const pay = createPayingFetch({
    signer,
    maxPrice: 10_000n,
    networks: [NETWORKS.local],
    fetch: async (...args) => {
      const began = performance.now()
      const response = await fetch(...args)
      exchanges.at(-1)?.push(performance.now() - began)
      return response
    },
  })
  const call = async () => {
    exchanges.push([])
    const response = await pay(url)
    const text = await response.text()
    if (response.status !== 200) throw new Error(`a paid call was answered ${response.status}: ${text.slice(0, 300)}`)
  }
  await call()
  exchanges.length = 0
  const totals = await oneByOne(quick ? 3 : 20, call)
  const { p50, max } = summarise(totals)
  const middle = (values: number[]) => summarise(values).p50.toFixed(1)
  const offer = exchanges.map(([first]) => first!)
  const last = exchanges.map((all) => all.at(-1)!)
  const signing = totals.map((total, index) => total - exchanges[index]!.reduce((sum, ms) => sum + ms, 0))
  const note = `402 ${middle(offer)}, signature ${middle(signing)}, paid request ${middle(last)}, worst ${max.toFixed(0)}`
  results.add({ name: `http, paid call, ${blocks}: p50`, value: p50, unit: 'ms', note })
}
