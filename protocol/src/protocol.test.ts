import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { AbiCoder, solidityPackedKeccak256 } from 'ethers'
import {
  addEarnings,
  type BatchLeaf,
  batchHeaderHash,
  CATALOGUE,
  canonicalJson,
  cidOfDigest,
  decodeBatchData,
  decodeFrame,
  decodeManifest,
  decodeReceiptHeader,
  digestOfCid,
  earningsTree,
  encodeBatchData,
  encodeFrame,
  encodeManifest,
  encodeReceiptHeader,
  formatUsdc,
  type Hex,
  hashMessage,
  type Manifest,
  messageFromJson,
  PeerHostError,
  parseAddress,
  parsePrivateKey,
  parseUsdc,
  paymentRefOfAuthorization,
  paymentRefOfChannel,
  receiptsTree,
  resultCommit,
  type SignedReceipt,
  serviceId,
  sha256Hex,
  signAccess,
  sortLeaves,
  specHash,
  specsHash,
  verifyAccess,
} from './index.ts'
import { createSigner, recover } from './native.ts'

const read = (name: string) => JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'))
const abi = AbiCoder.defaultAbiCoder()
const keccakOf = (types: string[], values: unknown[]) => solidityPackedKeccak256(['bytes'], [abi.encode(types, values)])
test('a private key is read in any case, with and without 0x', () => {
  const key = `0x${'5a'.repeat(32)}` as const
  for (const text of [key, key.slice(2), key.toUpperCase(), ` ${key}\n`]) {
    assert.equal(parsePrivateKey(text), key)
    assert.equal(createSigner(text).address, signer.address)
  }
  for (const text of ['', '0x', `${key}5a`, key.slice(0, -1), `${key.slice(0, -2)}zz`, '0x'.repeat(33)])
    assert.throws(() => parsePrivateKey(text), { code: 'PH_CONFIG_KEY_INVALID' }, text)
})

test('an address is read in any case', () => {
  const address = `0x${'ab'.repeat(20)}`
  for (const text of [address, address.toUpperCase(), `0x${'aB'.repeat(20)}`]) assert.equal(parseAddress(text), address)
  for (const text of [undefined, 1, '', address.slice(2), `${address}00`, `0y${'ab'.repeat(20)}`])
    assert.equal(parseAddress(text), undefined)
})

const signer = createSigner(`0x${'5a'.repeat(32)}`)
const domain = { chainId: 84532, verifyingContract: `0x${'c0'.repeat(20)}` as Hex }
const of = <T extends 'Request' | 'Assignment' | 'Receipt' | 'Acceptance'>(type: T) =>
  messageFromJson(type, read('messages').vectors.find((vector: { type: string }) => vector.type === type).message)

test('names and references are keccak256 of abi.encode, as in the vectors', () => {
  const ids = read('ids')
  const { owner, project, function: name } = ids.serviceId
  assert.equal(serviceId(owner, project, name), ids.serviceId.hash)
  assert.equal(keccakOf(['address', 'string', 'string'], [owner, project, name]), ids.serviceId.hash)
  const commit = ids.resultCommit
  assert.equal(resultCommit(commit.resultHash, commit.salt, commit.worker), commit.hash)
  assert.equal(
    keccakOf(['bytes32', 'bytes32', 'address'], [commit.resultHash, commit.salt, commit.worker]),
    commit.hash,
  )
  const exact = ids.paymentRefOfAuthorization
  assert.equal(paymentRefOfAuthorization(exact.asset, exact.payer, exact.nonce), exact.hash)
  assert.equal(
    keccakOf(['uint8', 'address', 'address', 'bytes32'], [1, exact.asset, exact.payer, exact.nonce]),
    exact.hash,
  )
  const channel = ids.paymentRefOfChannel
  assert.equal(paymentRefOfChannel(channel.channelId, BigInt(channel.cumulative)), channel.hash)
  const specs = ids.specs.specs.map((spec: { price: string }) => ({ ...spec, price: BigInt(spec.price) }))
  assert.equal(specHash(specs[0]), ids.specs.first)
  assert.equal(specsHash(specs), ids.specs.all)
  const { header, hash } = ids.batchHeader
  assert.equal(
    batchHeaderHash({ ...header, index: BigInt(header.index), cumulativeWeight: BigInt(header.cumulativeWeight) }),
    hash,
  )
  const { salt } = ids
  assert.equal(createSigner(salt.privateKey).salt(salt.assignmentHash), salt.salt)
})

test('USDC amounts: at most six decimals, no sign, no exponent', () => {
  assert.equal(parseUsdc('0.001'), 1000n)
  assert.equal(parseUsdc('12'), 12_000_000n)
  for (const bad of ['-1', '1e3', '0.0000001', '.5', '01', '', 'NaN', '1.', '0x1'])
    assert.equal(parseUsdc(bad), undefined, bad)
  for (const text of ['0', '0.001', '1', '1234.56789']) assert.equal(formatUsdc(parseUsdc(text)!), text)
})

test('a CID gives back its digest; others than CIDv1 with sha-256 are refused', () => {
  const digest = sha256Hex(new Uint8Array([1]))
  assert.deepEqual(digestOfCid(cidOfDigest(digest)), { digest, codec: 0x55 })
  assert.deepEqual(digestOfCid(cidOfDigest(digest, 0x70)), { digest, codec: 0x70 })
  for (const bad of ['', 'x', 'QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n', '../../etc/passwd', 'bafkqaaa'])
    assert.throws(() => digestOfCid(bad), { code: 'PH_STORE_CID_INVALID' })
})

test('canonical JSON sorts members by code units and leaves out what is undefined (RFC 8785)', () => {
  assert.equal(
    canonicalJson({ b: 1, a: [true, null, 'é\n'], '\u20ac': 1e21, A: undefined }),
    '{"a":[true,null,"é\\n"],"b":1,"€":1e+21}',
  )
  assert.throws(() => canonicalJson({ a: Number.NaN }), TypeError)
  assert.throws(() => canonicalJson({ a: 1n }), TypeError)
})

const manifest: Manifest = {
  schema: 'peerhost/manifest/1',
  owner: `0x${'ab'.repeat(20)}`,
  project: 'shop',
  functions: [
    {
      name: 'quote',
      handler: 'src/quote.handler',
      bundleCid: cidOfDigest(`0x${'01'.repeat(32)}`),
      codeDigest: `0x${'01'.repeat(32)}`,
      size: 10,
      routes: [{ method: 'GET', path: '/quote/{sku}', kind: 'httpApi', payload: '2.0' }],
      price: '1000',
      timeout: 6,
      memorySize: 128,
      egress: [],
      verification: 'deterministic',
      publicHeaders: [],
      environment: { A: 'b' },
      runtimeId: `0x${'02'.repeat(32)}`,
    },
  ],
  tools: { webpack: '5' },
}

test('a manifest comes back from its bytes, the same whatever the order of its members', () => {
  const { bytes, digest } = encodeManifest(manifest)
  assert.equal(digest, sha256Hex(bytes))
  assert.deepEqual(decodeManifest(bytes), manifest)
  const reordered = Object.fromEntries(Object.entries(manifest).reverse()) as unknown as Manifest
  assert.equal(encodeManifest(reordered).digest, digest)
})

test('a manifest with unknown members, bad values or two functions of a name is refused', () => {
  const [quote] = manifest.functions as [Manifest['functions'][0]]
  const bad: unknown[] = [
    null,
    [],
    {},
    { ...manifest, extra: 1 },
    { ...manifest, owner: '0x1' },
    { ...manifest, functions: [quote, quote] },
    { ...manifest, functions: [{ ...quote, price: '-1' }] },
    { ...manifest, functions: [{ ...quote, timeout: 0 }] },
    { ...manifest, functions: [{ ...quote, environment: { A: 1 } }] },
  ]
  for (const value of bad) assert.throws(() => encodeManifest(value as Manifest), { code: 'PH_MANIFEST_INVALID' })
  assert.throws(() => decodeManifest(new TextEncoder().encode('{')), { code: 'PH_MANIFEST_INVALID' })
})

test('an access is good for its signer, method, target, body and time alone', () => {
  const now = 1_800_000_000
  const body = new TextEncoder().encode('x')
  const call = { domain, method: 'POST', target: '/ipfs?a=1', body, now }
  const header = signAccess(signer, call)
  assert.equal(verifyAccess(header, call, recover), signer.address)
  const refusals: [object, string][] = [
    [{ method: 'GET' }, 'PH_AUTH_INVALID'],
    [{ target: '/ipfs' }, 'PH_AUTH_INVALID'],
    [{ body: new Uint8Array() }, 'PH_AUTH_INVALID'],
    [{ now: now + 61 }, 'PH_AUTH_EXPIRED'],
    [{ now: now - 400 }, 'PH_AUTH_EXPIRED'],
    [{ domain: { ...domain, chainId: 1 } }, 'PH_AUTH_INVALID'],
  ]
  for (const [change, code] of refusals)
    assert.throws(() => verifyAccess(header, { ...call, ...change }, recover), { code })
  assert.throws(() => verifyAccess(undefined, call, recover), { code: 'PH_AUTH_MISSING' })
  for (const bad of ['%', 'e30', 'bnVsbA', 'W10'])
    assert.throws(() => verifyAccess(bad, call, recover), { code: 'PH_AUTH_INVALID' })
  const json = JSON.parse(Buffer.from(header, 'base64url').toString())
  const forged = Buffer.from(JSON.stringify({ ...json, address: `0x${'11'.repeat(20)}` })).toString('base64url')
  assert.throws(() => verifyAccess(forged, call, recover), { code: 'PH_AUTH_INVALID' })
})

const sign = (digest: Hex) => signer.sign(digest)
function leaf(worker: Hex, price: bigint, salt: number): BatchLeaf {
  const receipt = { ...of('Receipt'), worker, price, version: salt }
  const receiptHash = hashMessage(domain, 'Receipt', receipt)
  const acceptance = { ...of('Acceptance'), receiptHash }
  return {
    receipt,
    receiptHash,
    receiptSignature: sign(receiptHash),
    acceptance,
    acceptanceSignature: sign(hashMessage(domain, 'Acceptance', acceptance)),
  }
}

test('a batch comes back from its data, sorted by worker and receipt; earnings add up to its sum', () => {
  const a: Hex = `0x${'aa'.repeat(20)}`,
    b: Hex = `0x${'bb'.repeat(20)}`
  const published = {
    request: of('Request'),
    assignment: of('Assignment'),
    assignmentSignature: sign(`0x${'01'.repeat(32)}`),
    input: Uint8Array.of(1, 2),
    body: new Uint8Array(),
  }
  const leaves = sortLeaves([leaf(b, 0n, 1), leaf(a, 1000n, 2), { ...leaf(b, 5n, 3), published }])
  assert.deepEqual(
    leaves.map(({ receipt }) => receipt.worker),
    [a, b, b],
  )
  const earnings = addEarnings([{ worker: b, cumulative: 7n }], leaves)
  assert.deepEqual(earnings, [
    { worker: a, cumulative: 20_000n },
    { worker: b, cumulative: 7n + 9_000n + 100n },
  ])
  assert.equal(receiptsTree(leaves).sum + 7n, earningsTree(earnings).sum)
  const data = encodeBatchData(leaves, earnings)
  assert.deepEqual(
    decodeBatchData(data, (receipt) => hashMessage(domain, 'Receipt', receipt)),
    { leaves, earnings },
  )
  for (const bad of [data.subarray(1), Uint8Array.of(0x80), Uint8Array.of(0x82, 0x81, 0x80, 0x80)]) {
    assert.throws(() => decodeBatchData(bad, () => `0x${'00'.repeat(32)}`), { code: 'PH_RECEIPT_INVALID' })
  }
})

test('a receipt header comes back as it was; a long input is left out', () => {
  const signature = sign(`0x${'01'.repeat(32)}`)
  const receipt: SignedReceipt = {
    request: of('Request'),
    assignment: { ...of('Assignment'), signature },
    receipt: { ...of('Receipt'), signature },
    acceptance: { ...of('Acceptance'), signature },
    salt: `0x${'03'.repeat(32)}`,
    input: Uint8Array.of(1),
    output: Uint8Array.of(2),
  }
  assert.deepEqual(decodeReceiptHeader(encodeReceiptHeader(receipt)), receipt)
  const long = encodeReceiptHeader({ ...receipt, input: new Uint8Array(9000) })
  assert.ok(long.length <= 8192)
  assert.equal(decodeReceiptHeader(long).input, undefined)
  for (const bad of ['', 'e30', '%%', 'bnVsbA'])
    assert.throws(() => decodeReceiptHeader(bad), { code: 'PH_RECEIPT_INVALID' })
})

test('frames of another shape are refused', () => {
  const frame = { type: 'refused' as const, id: 3, code: 'PH_X', message: 'no' }
  assert.deepEqual(decodeFrame(encodeFrame(frame)), frame)
  const bad: unknown[] = [
    { type: 'refused', id: '3', code: '', message: '' },
    { type: 'nothing' },
    { type: 'toString' },
    { id: 1 },
    { type: 'chunk', id: -1, bytes: new Uint8Array() },
  ]
  for (const value of bad) assert.throws(() => decodeFrame(encodeFrame(value as never)), { code: 'PH_REQUEST_INVALID' })
  assert.throws(() => decodeFrame(Uint8Array.of(0xff)), { code: 'PH_REQUEST_INVALID' })
})

test('errors say what happened and what to do, with every placeholder filled', () => {
  const error = new PeerHostError('PH_CONFIG_PRICE_INVALID', { function: 'quote', price: '-1' })
  assert.equal(error.message, 'Function "quote": the price "-1" is not valid')
  assert.equal(error.status, 400)
  for (const [code, { template, hint }] of Object.entries(CATALOGUE)) {
    assert.match(code, /^PH_[A-Z0-9]+(_[A-Z0-9]+)*$/)
    assert.ok(template.length > 5 && hint.length > 5, code)
  }
})
