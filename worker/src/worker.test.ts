import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import { createSender, deployFunctions } from '@peerhost/chain'
import { startTestChain, type TestChain } from '@peerhost/contracts/testing'
import {
  type CanonicalRequest,
  decodeResult,
  encodeManifest,
  type FunctionInput,
  type FunctionSpec,
  fromHex,
  type Hex,
  hashMessage,
  keccak256,
  type ManifestFunction,
  messageFromArray,
  messageToArray,
  NETWORKS,
  RUNTIME_IDS,
  resultCommit,
  sha256Hex,
  stakeVaultAbi,
  testUsdcAbi,
  toHex,
  VERIFICATION_CLASSES,
  ZERO_HASH,
} from '@peerhost/protocol'
import { createSigner, recover } from '@peerhost/protocol/native'
import { importBytes } from '@peerhost/storage'
import { Contract } from 'ethers'
import { createWorker, type Worker, type WorkerConfig } from './index.ts'
import { type Order, type ScriptedGateway, startScriptedGateway } from './testing/scripted-gateway.ts'

const folder = mkdtempSync(join(tmpdir(), 'peerhost-worker-'))
let chain: TestChain
let gateway: ScriptedGateway
let worker: Worker
let config: WorkerConfig
let owner: Awaited<ReturnType<TestChain['account']>>
let gatewayKey: Hex
const domain = () => ({
  chainId: NETWORKS.local.chainId,
  verifyingContract: chain.contracts.ExecutionCoordinator.toLowerCase() as Hex,
})

/** Bonds an account's USDC and registers its own key as hot key. */
async function bond(account: Awaited<ReturnType<TestChain['account']>>, units: number): Promise<void> {
  await (
    await new Contract(chain.usdc, testUsdcAbi, account.signer).approve!(
      chain.contracts.StakeVault,
      100_000_000n * BigInt(units),
    )
  ).wait()
  const vault = new Contract(chain.contracts.StakeVault, stakeVaultAbi, account.signer)
  await (await vault.stake!(units)).wait()
  const proof = createSigner(account.privateKey).sign(
    hashMessage(domain(), 'HotKey', { owner: account.address, key: account.address }),
  )
  await (await vault.registerHotKey!(account.address, proof)).wait()
}

/** Registers functions by name and source; what is registered may differ from what the manifest says. */
async function deploy(
  project: string,
  sources: Record<string, string>,
  change: Partial<ManifestFunction> = {},
  registered: Partial<FunctionSpec> = {},
): Promise<void> {
  const functions: ManifestFunction[] = []
  for (const [name, source] of Object.entries(sources)) {
    const file = await importBytes(Buffer.from(source))
    await gateway.store.put(file)
    functions.push({
      name,
      handler: 'index.handler',
      bundleCid: file.cid,
      codeDigest: sha256Hex(Buffer.from(source)),
      size: source.length,
      routes: [{ method: 'GET', path: `/${name}`, kind: 'httpApi', payload: '2.0' }],
      price: '0',
      timeout: 5,
      memorySize: 128,
      egress: [],
      verification: 'none',
      publicHeaders: [],
      environment: {},
      runtimeId: RUNTIME_IDS.x64,
      ...change,
    })
  }
  const { bytes, digest } = encodeManifest({
    schema: 'peerhost/manifest/1',
    owner: owner.address,
    project,
    functions,
    tools: {},
  })
  await gateway.store.put(await importBytes(bytes))
  const specs = functions.map(({ name, codeDigest, price, runtimeId, verification }) => ({
    name,
    codeDigest,
    manifestDigest: digest,
    price: BigInt(price),
    class: VERIFICATION_CLASSES[verification],
    runtimeId,
    ...registered,
  }))
  const sender = createSender({ provider: chain.provider, privateKey: owner.privateKey })
  await (await deployFunctions(sender, chain.contracts.ExecutionCoordinator, project, specs)).wait()
}

const get = (path: string): FunctionInput & { request: CanonicalRequest } => ({
  kind: 'http',
  request: {
    method: 'GET',
    host: 'h',
    sourceAddress: '127.0.0.1',
    path,
    query: '',
    headers: [],
    body: new Uint8Array(),
  },
})
const order = (name: string, change: Partial<Order> = {}): Order => ({
  owner: owner.address,
  project: 'shop',
  function: name,
  version: 1,
  worker: worker.address,
  input: get(`/${name}`),
  ...change,
})

before(async () => {
  chain = await startTestChain()
  owner = await chain.account()
  const gatewayAccount = await chain.account(1_000_000_000n)
  const workerAccount = await chain.account(1_000_000_000n)
  gatewayKey = gatewayAccount.privateKey
  await bond(gatewayAccount, 5)
  await bond(workerAccount, 1)
  gateway = await startScriptedGateway({
    domain: domain(),
    signer: createSigner(gatewayKey),
    storePath: join(folder, 'store'),
    epochLength: BigInt(chain.deployment.parameters.epochLength),
  })
  await deploy('shop', {
    hello: `exports.handler = async (event) => ({ statusCode: 200, body: 'hello ' + event.rawPath })`,
    thrower: `exports.handler = async () => { throw new Error('on purpose') }`,
    teapot: `exports.handler = async () => ({ statusCode: 418, body: 'no' })`,
  })
  await deploy(
    'paid',
    {
      quote: `exports.handler = async (event) => ({ statusCode: 200, body: 'paid' })`,
      teapot: `exports.handler = async () => ({ statusCode: 418 })`,
    },
    { price: '1000' },
  )
  config = {
    network: NETWORKS.local,
    rpcUrl: chain.rpcUrl,
    contracts: chain.contracts,
    gateways: [gateway.url],
    privateKey: workerAccount.privateKey,
    dataDir: join(folder, 'worker'),
    pollMs: 50,
  }
  worker = await createWorker(config)
  await worker.ready()
})
after(async () => {
  await worker?.close()
  await gateway?.close()
  await chain?.stop()
  rmSync(folder, { recursive: true, force: true })
})

test('a worker introduces itself with its bonded address, signed by its hot key', async () => {
  const hello = await gateway.hello
  assert.equal(hello.worker, worker.address)
  assert.deepEqual(hello.runtimeIds, [RUNTIME_IDS.x64])
  assert.equal(hello.sandbox, 1)
})

test('an order is executed and answered with a receipt that says what was done', async () => {
  const { answer, assignmentHash, requestHash } = await gateway.assign(order('hello'))
  assert.equal(answer.type, 'result')
  if (answer.type !== 'result') return
  const receipt = messageFromArray('Receipt', answer.receipt, toHex)
  assert.equal(receipt.assignmentHash, assignmentHash)
  assert.equal(receipt.requestHash, requestHash)
  assert.equal(receipt.status, 0)
  assert.equal(receipt.price, 0n)
  assert.equal(recover(hashMessage(domain(), 'Receipt', receipt), answer.signature), worker.address)
  assert.equal(receipt.resultCommit, resultCommit(keccak256(answer.output), answer.salt, worker.address))
  const result = decodeResult(answer.output, answer.body)
  assert.equal(result.kind === 'http' && Buffer.from(result.response!.body).toString(), 'hello /hello')
})

test('only an HTTP answer below 400 of a function that did not throw carries the price', async () => {
  const priceOf = async (name: string, project: string, maxPrice: bigint, input = get(`/${name}`) as FunctionInput) => {
    const { answer } = await gateway.assign(order(name, { project, input, request: { maxPrice } }))
    assert.equal(answer.type, 'result', JSON.stringify(answer))
    return answer.type === 'result' ? messageFromArray('Receipt', answer.receipt, toHex).price : undefined
  }
  assert.equal(await priceOf('quote', 'paid', 1000n), 1000n)
  assert.equal(await priceOf('teapot', 'paid', 1000n), 0n)
  assert.equal(
    await priceOf('quote', 'paid', 0n, { kind: 'event', body: Buffer.from('{}') }),
    0n,
    'a raw event of the owner’s',
  )
  assert.equal(await priceOf('thrower', 'shop', 0n), 0n)
})

test('the same order again gives the same receipt, also after a restart, and runs nothing twice', async () => {
  const clockMs = BigInt(Date.now())
  const same = {
    request: { clockMs, deadlineMs: clockMs + 20_000n, nonce: `0x${'07'.repeat(32)}` as Hex },
    assignment: { answerByMs: clockMs + 20_000n },
  }
  const first = await gateway.assign(order('hello', same))
  const second = await gateway.assign(order('hello', same))
  assert.equal(first.assignmentHash, second.assignmentHash)
  const { id: _, ...sent } = first.answer
  const { id: __, ...again } = second.answer
  assert.deepEqual(again, sent)
  await worker.close()
  worker = await createWorker(config)
  await worker.ready()
  const { id: ___, ...afterRestart } = (await gateway.assign(order('hello', same))).answer
  assert.deepEqual(afterRestart, sent)
})

test('orders that are not right are refused, and nothing is run for them', async () => {
  const stranger = createSigner(`0x${'77'.repeat(32)}`)
  const now = BigInt(Date.now())
  const other: Hex = `0x${'99'.repeat(20)}`
  const wrong: [string, Partial<Order>, Parameters<ScriptedGateway['assign']>[1]?][] = [
    ['signed by a stranger', { signer: stranger }],
    ['for another worker', { assignment: { worker: other } }],
    ['of another gateway', { assignment: { gateway: other } }],
    ['of a gateway that signs itself but has no bond', { signer: stranger, assignment: { gateway: stranger.address } }],
    ['of another request', { assignment: { requestHash: `0x${'00'.repeat(32)}` } }],
    ['with a clock of a minute ago', { request: { clockMs: now - 60_000n } }],
    ['with a clock of the next minute', { request: { clockMs: now + 60_000n } }],
    ['past its deadline', { request: { deadlineMs: now - 1n } }],
    ['in another epoch', { assignment: { epoch: 1n } }],
    ['of a version that is not registered', { version: 9 }],
    ['of a service that is not registered', { function: 'nothing' }],
    ['that allows less than the price', { project: 'paid', function: 'quote', input: get('/quote') }],
    ['over another input', {}, { input: new Uint8Array([1]) }],
    ['over another body', {}, { body: new Uint8Array([1]) }],
    ['of a service with another name', {}, { function: 'teapot' }],
  ]
  for (const [what, change, frame] of wrong) {
    const { answer } = await gateway.assign(order('hello', change), frame)
    assert.equal(answer.type, 'refused', what)
    if (answer.type === 'refused') assert.match(answer.code, /^PH_(WORKER_REFUSED|RECEIPT_INVALID)$/, what)
  }
  assert.equal((await gateway.assign(order('hello'))).answer.type, 'result', 'and the next right one is served')
})

test('an order of a stranger for a function without effects gets no receipt, wherever it stands among right ones', async () => {
  await deploy('pure', { pure: `exports.handler = async () => 'pure'` }, { verification: 'deterministic' })
  const right = () => gateway.assign(order('pure', { project: 'pure' }))
  const forged = () => gateway.assign(order('pure', { project: 'pure', signer: createSigner(`0x${'77'.repeat(32)}`) }))
  assert.equal((await forged()).answer.type, 'refused', 'the first')
  assert.equal((await right()).answer.type, 'result')
  const answers = await Promise.all([right(), forged(), right(), forged(), right()])
  assert.deepEqual(
    answers.map(({ answer }) => answer.type),
    ['result', 'refused', 'result', 'refused', 'result'],
  )
  const { answer } = await forged()
  assert.equal(answer.type === 'refused' && answer.code, 'PH_WORKER_REFUSED')
  assert.equal((await right()).answer.type, 'result', 'and the next right one is served')
})

test('code that is not the registered one, or a manifest that lies about it, is never run', async () => {
  await deploy('liar', { price: `exports.handler = async () => 'x'` }, {}, { price: 7n })
  const honest = await importBytes(Buffer.from(`exports.handler = async () => 'honest'`))
  await gateway.store.put(honest)
  await deploy('swapped', { code: `exports.handler = async () => 'other'` }, { bundleCid: honest.cid })
  const { answer } = await gateway.assign(order('code', { project: 'swapped' }))
  assert.equal(answer.type === 'refused' && answer.code, 'PH_BUNDLE_DIGEST_MISMATCH')
  const lie = (await gateway.assign(order('price', { project: 'liar', request: { maxPrice: 7n } }))).answer
  assert.equal(lie.type === 'refused' && lie.code, 'PH_MANIFEST_MISMATCH')
})

test('a new function is known without waiting for the next look at the chain', async () => {
  await deploy('fresh', { now: `exports.handler = async () => 'now'` })
  assert.equal((await gateway.assign(order('now', { project: 'fresh' }))).answer.type, 'result')
})

test('a promise to anchor is kept if it is the gateway’s own, about a receipt of this worker', async () => {
  const kept = () => {
    const db = new DatabaseSync(join(config.dataDir, 'receipts.sqlite'), { readOnly: true })
    try {
      return (db.prepare('select receipt_hash from acceptances').all() as { receipt_hash: Hex }[]).map(
        (row) => row.receipt_hash,
      )
    } finally {
      db.close()
    }
  }
  const { answer } = await gateway.assign(order('hello'))
  assert.equal(answer.type, 'result')
  if (answer.type !== 'result') return
  const receiptHash = hashMessage(domain(), 'Receipt', messageFromArray('Receipt', answer.receipt, toHex))
  const promise = (about: Hex, key: Hex) => {
    const acceptance = {
      receiptHash: about,
      paymentRef: ZERO_HASH,
      anchorBy: BigInt(Math.floor(Date.now() / 1000)) + 300n,
    }
    const signature = createSigner(key).sign(hashMessage(domain(), 'Acceptance', acceptance))
    gateway.send({ type: 'acceptance', acceptance: messageToArray('Acceptance', acceptance, fromHex), signature })
  }
  promise(receiptHash, `0x${'77'.repeat(32)}`) // a stranger's
  promise(`0x${'12'.repeat(32)}`, gatewayKey) // about no receipt of this worker
  await gateway.assign(order('hello')) // frames are read in order
  assert.deepEqual(kept(), [])
  promise(receiptHash, gatewayKey)
  await gateway.assign(order('hello'))
  assert.deepEqual(kept(), [receiptHash])
})

test('a worker without a bond does not start', async () => {
  const { privateKey } = await chain.account()
  await assert.rejects(createWorker({ ...config, privateKey, dataDir: join(folder, 'unbonded') }), {
    code: 'PH_WORKER_NOT_ELIGIBLE',
  })
})
