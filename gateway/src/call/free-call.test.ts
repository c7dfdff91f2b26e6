import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { decodeReceiptHeader, hashMessage, keccak256, resultCommit } from '@peerhost/protocol'
import { recover } from '@peerhost/protocol/native'
import type { ScriptedWorker } from '../testing/scripted-worker.ts'
import { startTestNetwork, type TestNetwork, until } from '../testing/test-network.ts'

let network: TestNetwork
let worker: ScriptedWorker
before(async () => {
  network = await startTestNetwork()
  worker = await network.worker(({ function: name, request }) => {
    if (name === 'fails') return { httpStatus: 500, body: 'no' }
    if (name === 'slow') return { status: 2 }
    return {
      headers: [['content-type', 'application/json']],
      body: JSON.stringify({ ...request, body: Buffer.from(request!.body).toString() }),
      logs: 'hello from the function\n',
    }
  })
  await network.deploy('shop', [
    { name: 'echo', routes: [{ path: '/items/{id}' }, { method: 'ANY', path: '/any/{proxy+}' }] },
    { name: 'fails', routes: [{ path: '/fails' }] },
    { name: 'slow', routes: [{ path: '/slow' }] },
  ])
})
after(() => network?.stop())

test('a free call reaches its function and comes back with a receipt that holds', async () => {
  const response = await fetch(network.url('shop', '/items/7?a=1&b=%20'), {
    headers: { 'x-one': '1', 'peerhost-payer': network.payer.address },
  })
  assert.equal(response.status, 200)
  const request = (await response.clone().json()) as Record<string, unknown>
  assert.equal(request.path, '/items/7')
  assert.equal(request.query, 'a=1&b=%20')
  assert.equal(request.sourceAddress, '127.0.0.1')
  assert.ok((request.headers as string[][]).some(([name, value]) => name === 'x-one' && value === '1'))
  assert.ok(!(request.headers as string[][]).some(([name]) => name === 'host' || name === 'peerhost-payer'))

  assert.equal(response.headers.get('peerhost-worker'), worker.address)
  assert.equal(response.headers.get('peerhost-start'), 'forked')
  assert.match(response.headers.get('server-timing')!, /dispatch;dur=[\d.]+, run;dur=[\d.]+/)
  const signed = decodeReceiptHeader(response.headers.get('peerhost-receipt')!)
  assert.equal(signed.request.payer, network.payer.address)
  assert.equal(keccak256(signed.input!), signed.request.inputHash)
  assert.equal(signed.receipt.resultCommit, resultCommit(keccak256(signed.output), signed.salt, worker.address))
  const { signature, ...acceptance } = signed.acceptance
  assert.equal(recover(hashMessage(network.domain, 'Acceptance', acceptance), signature), network.gateway.address)
  await until(() => worker.acceptances.length > 0)
})

test('a worker is asked to make a new function ready before anybody calls it', async () => {
  await until(() => worker.prepared.includes('echo:1'))
})

test('both forms of URL reach the same path, also with the wallet in capitals', async () => {
  const { address } = network.developer
  const host = `0x${address.slice(2).toUpperCase()}.peerhost.test`
  const { request } = await import('node:http')
  const body = await new Promise<string>((resolve, reject) => {
    request(`${network.gateway.url}/shop/any/a%2Fb//c?x`, { headers: { host } }, (res) => {
      let text = ''
      res.on('data', (part) => (text += part))
      res.on('end', () => resolve(text))
    })
      .on('error', reject)
      .end()
  })
  const seen = JSON.parse(body)
  assert.equal(seen.path, '/any/a%2Fb//c')
  assert.equal(seen.query, 'x')
  assert.equal(seen.host, host)
})

test('a body arrives byte for byte', async () => {
  const body = Buffer.from([0, 255, 10, 13, 128])
  await fetch(network.url('shop', '/any/x'), { method: 'POST', body })
  assert.deepEqual(Buffer.from(worker.assignments.at(-1)!.body), body)
})

test('a function is reached by its name where no route matches', async () => {
  assert.equal((await fetch(network.url('shop', '/echo'))).status, 200)
})

test('what is not there is 404 with a code and a hint', async () => {
  for (const url of [
    network.url('shop', '/nothing'),
    network.url('other', '/'),
    `${network.gateway.url}/nothing`,
    `${network.gateway.url}/run/0x12/shop`,
  ]) {
    const response = await fetch(url)
    assert.equal(response.status, 404)
    const { message, code, hint } = (await response.json()) as Record<string, string>
    assert.equal(message, 'Not Found')
    assert.equal(code, 'PH_REQUEST_NO_ROUTE')
    assert.ok(hint)
  }
})

test('the HTTP status of a function is passed on', async () => {
  const response = await fetch(network.url('shop', '/fails'))
  assert.equal(response.status, 500)
  assert.equal(await response.text(), 'no')
})

test('a function that runs too long has the answer of its kind of event and its code', async () => {
  const response = await fetch(network.url('shop', '/slow'))
  assert.equal(response.status, 500)
  assert.equal(response.headers.get('peerhost-error'), 'PH_RUN_TIMEOUT')
  assert.equal(((await response.json()) as { code: string }).code, 'PH_RUN_TIMEOUT')
  assert.ok(response.headers.get('peerhost-receipt'))
})
