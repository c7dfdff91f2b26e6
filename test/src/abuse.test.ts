import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { type AttackAnswer, attacks, createAttackService, expected } from './support/attack-service.ts'
import { type DevNetwork, startDevNetwork } from './support/dev-network.ts'
import { createInteropService, interopCases } from './support/interop-service.ts'
import { createService, type Service, serverless } from './support/serverless.ts'
import { startWorker, type WorkerProcess } from './support/worker-process.ts'

// Hostile functions deployed like any other (the real CLI, webpack, the registry, the store) and called over HTTP, on one
// worker that an operator runs. What an execution leaves behind, no later one may find, and the worker serves its other
// functions as ever. The same attacks on the sandbox alone are in sandbox/src/abuse.

let dev: DevNetwork
const services: Service[] = []
let base: string

before(async () => {
  dev = await startDevNetwork({ args: ['--workers', '0'] })
  for (const files of [createAttackService(), createInteropService()]) {
    const service = createService(files)
    services.push(service)
    await serverless(['deploy'], service, dev.networkFile)
  }
  base = `${dev.network.gatewayUrl}/run/${dev.network.accounts.developer.address}`
})
after(async () => {
  await dev?.stop()
  for (const service of services) service.remove()
})

async function call(name: string, request: object) {
  const response = await fetch(`${base}/attacks/${name}`, { method: 'POST', body: JSON.stringify(request) })
  const text = await response.text()
  const answer = response.status === 200 ? (JSON.parse(text) as AttackAnswer) : undefined
  return { status: response.status, answer, text, worker: response.headers.get('peerhost-worker') }
}

const isNothing = (seen: unknown) =>
  seen === undefined || seen === null || seen === '' || (Array.isArray(seen) && seen.length === 0)

/** The worker's next request is an honest one, and is answered by a process of its own. */
async function servesOthers({ address }: WorkerProcess): Promise<void> {
  const text = randomBytes(8).toString('hex')
  const response = await fetch(`${base}/attacks/honest/${text}`)
  assert.deepEqual(await response.json(), { text, count: 1 })
  assert.equal(response.headers.get('peerhost-worker'), address)
}

/** Milliseconds that an execution takes: more and more, until a further jail is worth its start on this machine. */
const PAUSES = [100, 200, 400, 800, 1600]
const AT_ONCE = 8
/** Where each execution costs its jail. */
const FEW_AT_ONCE = 3

/** It does not say where it ran. */
const ANSWERS_ITSELF = 'undead'

let calls = 0
const request = (earlier: unknown, more = {}) => ({ name: `call ${++calls}`, earlier, overHttp: true, ...more })

/** With nobody else waiting: on one jail, where each execution loads for itself. */
const alone = (name: string, earlier: unknown) => call(name, request(earlier))

/** Demand: the worker starts jails that load once for all of their executions. */
const atOnce = (count: number, name: string, earlier: unknown, pauseMs: number) =>
  Promise.all(Array.from({ length: count }, () => call(name, request(earlier, { pauseMs }))))

/** The most executions that one load at fork point `loaded` has served. */
function mostOfOneLoad(answers: AttackAnswer[]): number {
  const counts = new Map<string, number>()
  for (const { forkPoint, load } of answers) {
    if (forkPoint === 'loaded') counts.set(load, (counts.get(load) ?? 0) + 1)
  }
  return Math.max(0, ...counts.values())
}

describe('hostile functions on an operator’s worker, at blank and, under demand, at loaded', { concurrency: 4 }, () => {
  let worker: WorkerProcess
  before(async () => {
    worker = await startWorker(dev)
  })
  after(() => worker?.stop())

  for (const { name, attack, deterministic } of attacks) {
    test(name, async () => {
      const is = (list: keyof typeof expected) => expected[list].includes(attack)
      const answers: AttackAnswer[] = []
      const take = ({ status, answer, text }: Awaited<ReturnType<typeof call>>) => {
        assert.ok(isNothing(answer?.seen), `it has seen ${JSON.stringify(answer?.seen)}`)
        if (!is('seldomAnswered')) assert.equal(status === 200, !is('neverAnswered'), text)
        if (answer) answers.push(answer)
      }
      take(await alone(name, undefined))
      const earlier = answers[0]?.drawn
      take(await alone(name, earlier))

      const told = () => worker.log.filter((line) => line.includes(` ${name} `)).join('\n')
      const isRefused = () => told().includes('runs at fork point blank')
      // A jail that ends with its execution shares its load with no second one.
      const isShown = () => isRefused() || mostOfOneLoad(answers) >= (is('endsItsJail') ? 1 : 2)
      const shows = !deterministic && !is('neverAnswered') && !is('seldomAnswered') && attack !== ANSWERS_ITSELF
      for (const pauseMs of shows ? PAUSES : PAUSES.slice(0, 1)) {
        if (isShown()) break
        const count = is('endsItsJail') ? FEW_AT_ONCE : AT_ONCE
        for (const one of await atOnce(count, name, answers.at(-1)?.drawn, pauseMs)) take(one)
      }
      if (shows) assert.ok(isShown(), `it was never shared: ${told()}`)
      if (is('refusedAtLoaded')) assert.equal(mostOfOneLoad(answers), 0)
      else if (!told().includes('in system call running')) assert.ok(!isRefused(), told())
      await servesOthers(worker)
    })
  }
})

describe('hostile names, and exports by way of webpack', { concurrency: 4 }, () => {
  let worker: WorkerProcess
  before(async () => {
    worker = await startWorker(dev)
  })
  after(() => worker?.stop())

  for (const { name, handler, status } of interopCases) {
    test(`${name}: ${handler}`, async () => {
      for (let i = 0; i < 2; i++) {
        const response = await fetch(`${base}/interop/${name}`)
        const text = await response.text()
        assert.equal(response.status, status, text)
        if (status === 200) assert.deepEqual(JSON.parse(text), { ok: true })
      }
      await servesOthers(worker)
    })
  }
})

describe('an operator’s worker with --fork-point blank', () => {
  let worker: WorkerProcess
  before(async () => {
    worker = await startWorker(dev, ['--fork-point', 'blank'])
  })
  after(() => worker?.stop())

  for (const name of ['globals', 'modules', 'shared-memory']) {
    test(`${name}: no execution shares a load, whatever the demand`, async () => {
      for (const pauseMs of PAUSES.slice(1, 3)) {
        for (const { answer, text } of await atOnce(AT_ONCE, name, undefined, pauseMs)) {
          assert.ok(answer, text)
          assert.ok(isNothing(answer.seen), `it has seen ${JSON.stringify(answer.seen)}`)
          assert.equal(answer.forkPoint, 'blank')
        }
      }
      await servesOthers(worker)
    })
  }
})
