import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { ZERO_HASH } from '@peerhost/protocol'
import type { Script, ScriptedWorker, ScriptedWorkerOptions } from '../testing/scripted-worker.ts'
import { startTestNetwork, type TestNetwork } from '../testing/test-network.ts'
import { offerOf, signPayment } from '../testing/x402.ts'

let network: TestNetwork
let workers: ScriptedWorker[] = []
before(async () => {
  network = await startTestNetwork({ config: { dispatchMarginMs: 300 } })
  await network.deploy('shop', [
    { name: 'free', routes: [{ path: '/free' }], definition: { timeout: 1 } },
    { name: 'paid', price: 1000n, routes: [{ path: '/paid' }] },
  ])
})
after(() => network?.stop())
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.close()))
  workers = []
})

const add = async (script: Script, options?: Partial<ScriptedWorkerOptions>) => {
  const worker = await network.worker(script, options)
  workers.push(worker)
  return worker
}
const good: Script = () => ({ body: 'good' })

/** The faulty worker has so much room that it is the first choice while both are idle. */
async function withFaulty(script: Script, options: Partial<ScriptedWorkerOptions> = {}) {
  let asked = 0
  const faulty = await add((call) => {
    asked++
    return script(call)
  }, options)
  const other = await add(good)
  const response = await fetch(network.url('shop', '/free'))
  assert.equal(response.status, 200)
  assert.equal(await response.text(), 'good')
  assert.equal(response.headers.get('peerhost-worker'), other.address)
  assert.equal(asked, 1)
  return { faulty, other }
}

test('a worker that is killed in the middle of a request is replaced', async () => {
  const box: { worker?: ScriptedWorker } = {}
  const startedAt = Date.now()
  box.worker = await add(() => {
    box.worker!.kill()
    return undefined
  })
  await add(good)
  const response = await fetch(network.url('shop', '/free'))
  assert.equal(await response.text(), 'good')
  assert.ok(Date.now() - startedAt < 1_500)
})

test('a worker that refuses is replaced', async () => {
  const { other } = await withFaulty(({ frame, send }) => {
    send({ type: 'refused', id: frame.id, code: 'PH_GATEWAY_BUSY', message: 'no' })
    return undefined
  })
  assert.equal(other.assignments.length, 1)
})

test('a worker that does not answer in time is replaced', async () => {
  await withFaulty(() => undefined)
})

test('a worker that cannot execute is replaced', async () => {
  await withFaulty(() => ({ status: 4 }))
})

const lies: Record<string, ScriptedWorkerOptions['forge']> = {
  'a body that it did not commit to': (frame) => ({ ...frame, body: Buffer.from('forged') }),
  'an output that it did not commit to': (frame) => ({ ...frame, output: frame.output.map((byte) => byte ^ 1) }),
  'another salt': (frame) => ({ ...frame, salt: ZERO_HASH }),
  'a foreign signature': (frame) => ({ ...frame, signature: `0x${'11'.repeat(64)}1b` }),
  'a receipt that is not signed': (frame) => ({
    ...frame,
    receipt: frame.receipt.map((field, i) => (i === 10 ? 5n : field)),
  }),
  'rubbish for a receipt': (frame) => ({ ...frame, receipt: ['rubbish'] }),
}
for (const [what, forge] of Object.entries(lies))
  test(`a worker that answers with ${what} is replaced`, async () => {
    await withFaulty(good, { forge })
  })

test('a paid request whose worker dies is answered by another and charged once', async () => {
  const box: { worker?: ScriptedWorker } = {}
  box.worker = await add(() => {
    box.worker!.kill()
    return undefined
  })
  const other = await add(good)
  const before = await network.usdcOf(network.payer.address)
  const url = network.url('shop', '/paid')
  const { header } = await signPayment(await offerOf(url), network.payer.privateKey)
  const response = await fetch(url, { headers: { 'payment-signature': header } })
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('peerhost-worker'), other.address)
  assert.equal(await network.usdcOf(network.payer.address), before - 1000n)
})

for (const [what, forge] of [
  ['lies', (frame) => ({ ...frame, salt: ZERO_HASH })],
  ['refuses', undefined],
] as const satisfies [string, ScriptedWorkerOptions['forge']][])
  test(`a worker that ${what} is not the first choice of the next requests`, async () => {
    let asked = 0
    await add(
      ({ frame, send }) => {
        asked++
        if (forge) return { body: 'bad' }
        send({ type: 'refused', id: frame.id, code: 'PH_RUN_REFUSED', message: 'not today' })
        return undefined
      },
      { capacity: 1024, forge },
    )
    await add(good)
    for (let i = 0; i < 5; i++) assert.equal((await fetch(network.url('shop', '/free'))).status, 200)
    assert.ok(asked <= 1, String(asked))
  })

test('a worker that failed is asked where there is no other', async () => {
  let asked = 0
  await add(() => (++asked === 1 ? { status: 4 } : { body: 'good' }))
  assert.equal((await fetch(network.url('shop', '/free'))).status, 503)
  assert.equal((await fetch(network.url('shop', '/free'))).status, 200)
})

test('without a worker a request is 503, and a payment for it stays good', async () => {
  assert.equal((await fetch(network.url('shop', '/free'))).status, 503)
  const url = network.url('shop', '/paid')
  const { header } = await signPayment(await offerOf(url), network.payer.privateKey)
  const refused = await fetch(url, { headers: { 'payment-signature': header } })
  assert.equal(refused.status, 503)
  assert.equal(((await refused.json()) as { code: string }).code, 'PH_GATEWAY_NO_WORKER')
  await add(good)
  assert.equal((await fetch(url, { headers: { 'payment-signature': header } })).status, 200)
})

test('requests beyond what workers can take wait their turn', async () => {
  let atOnce = 0
  let most = 0
  await add(
    async () => {
      most = Math.max(most, ++atOnce)
      await new Promise((resolve) => setTimeout(resolve, 5))
      atOnce--
      return { body: 'good' }
    },
    { capacity: 2 },
  )
  const responses = await Promise.all(Array.from({ length: 20 }, () => fetch(network.url('shop', '/free'))))
  assert.deepEqual(new Set(responses.map(({ status }) => status)), new Set([200]))
  assert.equal(most, 2)
})

test('a worker without stake, or with somebody else’s key, is refused', async () => {
  const stranger = await network.chain.account()
  const { createSigner } = await import('@peerhost/protocol/native')
  const signer = createSigner(stranger.privateKey)
  await assert.rejects(network.worker(good, { signer, worker: stranger.address }), /PH_WORKER_NOT_ELIGIBLE/)
  await assert.rejects(network.worker(good, { signer }), /PH_WORKER_NOT_ELIGIBLE/)
})
