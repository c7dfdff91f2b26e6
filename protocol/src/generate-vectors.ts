// `node protocol/src/generate-vectors.ts`: writes protocol/vectors/*.json, which the tests of both languages read. A change
// in a vector is a change of the protocol.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  batchHeaderHash,
  bodyRoot,
  encodeInput,
  encodeResult,
  type FunctionInput,
  type FunctionResult,
  type Hex,
  hashMessage,
  inputHash,
  keccak256,
  type MessageTypes,
  messageToJson,
  paymentRefOfAuthorization,
  paymentRefOfChannel,
  resultCommit,
  resultHash,
  type SumLeaf,
  SumTree,
  serviceId,
  specHash,
  specsHash,
  toHex,
} from './index.ts'
import { createPureSigner } from './signing/pure.ts'

const utf8 = new TextEncoder()
const hash = (text: string): Hex => keccak256(utf8.encode(text))
const address = (text: string): Hex => `0x${hash(text).slice(26)}`
const domain = { chainId: 84532, verifyingContract: address('coordinator') }
const KEY = hash('a key of the test vectors')
const signer = createPureSigner(KEY)

const messages: { [T in keyof MessageTypes]: MessageTypes[T][] } = {
  Deployment: [
    { owner: address('owner'), project: 'shop', specsHash: hash('specs'), nonce: 0n, deadline: 1_800_000_000n },
  ],
  Request: [
    {
      serviceId: hash('service'),
      version: 1,
      inputHash: hash('input'),
      payer: address('payer'),
      maxPrice: 1000n,
      clockMs: 1_735_689_600_000n,
      deadlineMs: 1_735_689_606_000n,
      nonce: hash('nonce'),
    },
    {
      serviceId: hash('service'),
      version: 2 ** 32 - 1,
      inputHash: hash(''),
      payer: `0x${'00'.repeat(20)}`,
      maxPrice: 2n ** 128n - 1n,
      clockMs: 2n ** 64n - 1n,
      deadlineMs: 0n,
      nonce: hash('other'),
    },
  ],
  Assignment: [
    {
      requestHash: hash('request'),
      attempt: 2,
      gateway: address('gateway'),
      worker: address('worker'),
      epoch: 2_892_816n,
      answerByMs: 1_735_689_603_000n,
    },
  ],
  Receipt: [
    {
      assignmentHash: hash('assignment'),
      requestHash: hash('request'),
      serviceId: hash('service'),
      version: 7,
      codeDigest: hash('code'),
      runtimeId: hash('runtime'),
      sandbox: 1,
      resultCommit: hash('commit'),
      tapeRoot: `0x${'00'.repeat(32)}`,
      status: 0,
      price: 1000n,
      epoch: 2_892_816n,
      worker: address('worker'),
    },
  ],
  Acceptance: [{ receiptHash: hash('receipt'), paymentRef: hash('payment'), anchorBy: 1_735_689_900n }],
  HotKey: [{ owner: address('owner'), key: signer.address }],
  Access: [{ method: 'POST', target: '/ipfs?pin=1', bodyHash: hash('body'), deadline: 1_735_689_660n }],
}

const messageVectors = Object.entries(messages).flatMap(([type, list]) =>
  list.map((message) => {
    const digest = hashMessage(domain, type as keyof MessageTypes, message as never)
    return {
      type,
      message: messageToJson(type as keyof MessageTypes, message as never),
      digest,
      signature: signer.sign(digest),
    }
  }),
)

const bodyOf = (size: number) => Uint8Array.from({ length: size }, (_, i) => (i * 31 + 7) & 255)
const bodies = [0, 1, 4095, 4096, 4097, 8192, 3 * 4096 + 5, 100_000].map((size) => ({
  size,
  root: bodyRoot(bodyOf(size)),
}))

const inputs: { name: string; input: FunctionInput }[] = [
  {
    name: 'a plain GET',
    input: {
      kind: 'http',
      request: {
        method: 'GET',
        host: 'shop.example',
        sourceAddress: '203.0.113.9',
        path: '/quote/42',
        query: 'size=2&x=%C3%A9',
        headers: [
          ['accept', '*/*'],
          ['x-a', '1'],
          ['x-a', '2'],
        ],
        body: new Uint8Array(),
      },
    },
  },
  {
    name: 'a POST with bytes that are no UTF-8 in header and body',
    input: {
      kind: 'http',
      request: {
        method: 'POST',
        host: 'localhost:8402',
        sourceAddress: '2001:db8::1',
        path: '/',
        query: '',
        headers: [
          ['content-type', 'application/octet-stream'],
          ['x-latin', 'caf\u00e9'],
        ],
        body: bodyOf(5000),
      },
    },
  },
  {
    name: 'a public service: no host, no address',
    input: {
      kind: 'http',
      request: {
        method: 'GET',
        host: '',
        sourceAddress: '',
        path: '/p',
        query: '',
        headers: [],
        body: new Uint8Array(),
      },
    },
  },
  { name: 'a raw event', input: { kind: 'event', body: utf8.encode('{"a":1}') } },
  { name: 'an empty raw event', input: { kind: 'event', body: new Uint8Array() } },
]

const results: { name: string; result: FunctionResult }[] = [
  {
    name: 'ok',
    result: {
      kind: 'http',
      status: 0,
      response: { httpStatus: 200, headers: [['content-type', 'application/json']], body: utf8.encode('{"price":1}') },
    },
  },
  {
    name: 'threw',
    result: {
      kind: 'http',
      status: 1,
      response: {
        httpStatus: 500,
        headers: [['content-type', 'application/json']],
        body: utf8.encode('{"message":"Internal Server Error"}'),
      },
    },
  },
  { name: 'timeout', result: { kind: 'http', status: 2 } },
  { name: 'event ok', result: { kind: 'event', status: 0, output: utf8.encode('null') } },
  { name: 'event out of memory', result: { kind: 'event', status: 3 } },
]

const spec = (name: string) => ({
  name,
  codeDigest: hash(`code ${name}`),
  manifestDigest: hash('manifest'),
  price: 1000n,
  class: 1,
  runtimeId: hash('runtime'),
})

const trees = [1, 2, 3, 5, 8, 13].map((count) => {
  const leaves: SumLeaf[] = Array.from({ length: count }, (_, i) => ({
    key: hash(`leaf ${count} ${i}`),
    reference: hash(`payment ${i}`),
    weight: BigInt(i * i * 20_000),
  }))
  const tree = new SumTree(leaves)
  const proofs = [0, count - 1].map((index) => tree.proof(index))
  return { leaves, root: tree.root, sum: tree.sum, proofs }
})

const header = {
  gateway: address('gateway'),
  index: 3n,
  predecessor: hash('predecessor'),
  receiptsRoot: trees[3]!.root,
  earningsRoot: trees[1]!.root,
  dataDigest: hash('data'),
  count: 5,
  cumulativeWeight: 123_456_789n,
  reserved: `0x${'00'.repeat(32)}` as Hex,
}

const vectors = {
  messages: { domain, signer: signer.address, vectors: messageVectors },
  bodies: { note: 'byte i of a body is (31 i + 7) mod 256', vectors: bodies },
  inputs: inputs.map(({ name, input }) => ({
    name,
    input,
    encoded: toHex(encodeInput(input)),
    inputHash: inputHash(input),
  })),
  results: results.map(({ name, result }) => ({
    name,
    result,
    encoded: toHex(encodeResult(result)),
    resultHash: resultHash(result),
  })),
  ids: {
    serviceId: {
      owner: address('owner'),
      project: 'shop',
      function: 'quote',
      hash: serviceId(address('owner'), 'shop', 'quote'),
    },
    resultCommit: {
      resultHash: hash('result'),
      salt: hash('salt'),
      worker: address('worker'),
      hash: resultCommit(hash('result'), hash('salt'), address('worker')),
    },
    salt: { privateKey: KEY, assignmentHash: hash('assignment'), salt: signer.salt(hash('assignment')) },
    paymentRefOfAuthorization: {
      asset: address('usdc'),
      payer: address('payer'),
      nonce: hash('nonce'),
      hash: paymentRefOfAuthorization(address('usdc'), address('payer'), hash('nonce')),
    },
    paymentRefOfChannel: {
      channelId: hash('channel'),
      cumulative: 5000n,
      hash: paymentRefOfChannel(hash('channel'), 5000n),
    },
    specs: {
      specs: [spec('quote'), spec('hook')],
      first: specHash(spec('quote')),
      all: specsHash([spec('quote'), spec('hook')]),
    },
    batchHeader: { header, hash: batchHeaderHash(header) },
  },
  trees,
}

const folder = join(import.meta.dirname, '..', 'vectors')
const write = (_: string, value: unknown) =>
  typeof value === 'bigint' ? String(value) : value instanceof Uint8Array ? toHex(value) : value
let stale = false
mkdirSync(folder, { recursive: true })
for (const [name, value] of Object.entries(vectors)) {
  const path = join(folder, `${name}.json`)
  const text = `${JSON.stringify(value, write, 2)}\n`
  if (!process.argv.includes('--check')) writeFileSync(path, text)
  else if (readFileSync(path, 'utf8') !== text) {
    console.error(`${path} is not what the code gives`)
    stale = true
  }
}
process.exitCode = stale ? 1 : 0
