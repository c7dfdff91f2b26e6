import { setTimeout as sleep } from 'node:timers/promises'
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
const SETTLE_MS = 1500

const OTHERS = [
  { path: '/hello-fetch', what: 'hello as a Fetch handler', isHono: false },
  { path: '/hono-fetch/hello', what: 'Hono as a Fetch handler', isHono: true },
  { path: '/hono/hello', what: 'Hono through hono/aws-lambda', isHono: true },
  { path: '/hono-warm/hello', what: 'Hono with warmup', isHono: true },
  { path: '/express-warm/hello', what: 'Express 5 with warmup', isHono: true },
]

/** Free and paid calls through gateway and worker, with the load generator on the same cores. */
export async function http({ results, quick, fn }: SuiteOptions): Promise<void> {
  const seconds = quick ? 2 : 10
  const failures: string[] = []

  const client = (url: string) => createHttpClient(url, CONNECTIONS, (reason) => failures.push(reason))

  async function latency(url: string, look?: (answer: HttpAnswer) => void): Promise<Summary> {
    const { get, close } = client(url)
    await paced(RATE, 2 * RATE, get)
    await sleep(SETTLE_MS) // the worker starts jails in place of those that it took
    const samples = await paced(RATE, RATE * seconds, async () => {
      const answer = await get()
      look?.(answer)
    })
    close()
    return summarise(samples)
  }

  async function throughput(url: string): Promise<number> {
    const { get, close } = client(url)
    await sustained(CONNECTIONS, 2, get)
    const perSecond = await sustained(CONNECTIONS, seconds, get)
    close()
    return perSecond
  }

  const service = copyService(FIXTURES)
  const network = await startNetwork(['--workers', '1'])
  const plainPeer = await startNodeServer()
  const helloPeer = await startWorkerd(await fn('helloFetch').bundle(), '/hello-fetch')
  const honoPeer = await startWorkerd(await fn('honoFetch').bundle(), '/hono-fetch/hello')
  try {
    const { url } = await network.deploy(service)
    const latencyOfHello = async () => {
      const parts = new Map<string, number[]>()
      const { p50, p99 } = await latency(`${url}/hello`, ({ headers }) => {
        for (const [, name, ms] of String(headers['server-timing']).matchAll(/(\w+);dur=([\d.]+)/g))
          parts.set(name!, [...(parts.get(name!) ?? []), Number(ms)])
      })
      return { p50, p99, timing: [...parts].map(([name, values]) => `${name} ${summarise(values).p50.toFixed(2)}`) }
    }
    const at = `http, free, ${RATE}/s`
    const plain = await latency(`${plainPeer.url}/hello`)
    const isolate = await latency(`${helloPeer.url}/hello-fetch`)
    const hello = await latencyOfHello()
    const workerd = (value: number) => ({ name: 'workerd', value })
    const note = hello.timing.join(', ')
    results.add(
      { name: `${at}: plain Node, p50`, value: plain.p50, unit: 'ms', note: `p99 ${plain.p99.toFixed(2)}` },
      { name: `${at}: hello, p50`, value: hello.p50, unit: 'ms', must: 2, peer: workerd(isolate.p50), note },
      { name: `${at}: hello, p99`, value: hello.p99, unit: 'ms', must: 8, peer: workerd(isolate.p99) },
    )
    const honoIsolate = await latency(`${honoPeer.url}/hono-fetch/hello`)
    for (const { path, what, isHono } of OTHERS) {
      const { p50, p99 } = await latency(url + path)
      const peer = isHono ? { name: 'workerd with Hono', value: honoIsolate.p50 } : workerd(isolate.p50)
      results.add({ name: `${at}: ${what}, p50`, value: p50, unit: 'ms', peer, note: `p99 ${p99.toFixed(1)}` })
    }

    const rate = `http, free, ${CONNECTIONS} connections`
    const ofNode = await throughput(`${plainPeer.url}/hello`)
    const ofIsolate = workerd(await throughput(`${helloPeer.url}/hello-fetch`))
    const ofHello = await throughput(`${url}/hello`)
    results.add(
      { name: `${rate}: plain Node`, value: ofNode, unit: '/s' },
      { name: `${rate}: hello`, value: ofHello, unit: '/s', must: 350, atLeast: true, peer: ofIsolate },
    )
    for (const { path, what } of OTHERS) {
      const peer = { name: 'hello', value: ofHello }
      results.add({ name: `${rate}: ${what}`, value: await throughput(url + path), unit: '/s', peer })
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
