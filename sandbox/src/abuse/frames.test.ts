import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type AbuseSandbox, attackFunction, createAbuseSandbox, outputOf } from './abuse-sandbox.ts'

// What a child may send to the worker: one answer, whole, of the right kind, after its request. Everything else costs the
// function its answer and the jail its life, and nobody else anything.

const PRELUDE = `
const fs = require('fs')
function frame(type, head, body, size) {
  const bytes = Buffer.alloc(9 + head.length + body.length)
  bytes.writeUInt32LE(size ?? 5 + head.length + body.length, 0)
  bytes[4] = type
  bytes.writeUInt32LE(head.length, 5)
  Buffer.from(head).copy(bytes, 9)
  Buffer.from(body).copy(bytes, 9 + head.length)
  return bytes
}
const send = (bytes) => fs.writeSync(3, bytes)
const output = (value) => frame(9, '', JSON.stringify(value))
const wait = (ms) => new Promise((done) => setTimeout(done, ms))
`

const BAD = ['PH_RUN_BAD_RESPONSE', 'PH_RUN_RESPONSE_TOO_LARGE', 'PH_RUN_EXITED', 'PH_RUN_CRASHED', 'PH_RUN_TIMEOUT']

const refused: Record<string, string> = {
  'a frame that announces 4 GB': `send(frame(9, '', 'x', 0xffffffff)); await wait(3000)`,
  'a frame that announces 7 MB': `send(frame(9, '', 'x', 7e6)); await wait(3000)`,
  'a frame of no bytes': `send(Buffer.alloc(4)); await wait(3000)`,
  'a head longer than its frame': `const bytes = frame(9, '', 'xx'); bytes.writeUInt32LE(1e6, 5); send(bytes); await wait(3000)`,
  'a frame of an unknown type': `send(frame(77, '', '')); await wait(3000)`,
  'a worker’s own frame': `send(frame(2, '{}', '')); await wait(3000)`,
  'a second ready mark': `send(frame(3, '', '')); await wait(3000)`,
  'an HTTP answer to an event': `send(frame(5, '{"httpStatus":200,"headers":[]}', '')); await wait(3000)`,
  'the end of a stream that has not begun': `send(frame(8, '', '')); await wait(3000)`,
  'half a frame, then the end': `send(output('half').subarray(0, 7)); process.kill(process.pid); process.abort()`,
  'half a frame, then nothing': `send(output('half').subarray(0, 7)); await wait(1e9)`,
  'chunks without an end': `for (;;) send(frame(7, '', Buffer.alloc(1e5)))`,
}

describe('frames', () => {
  let abuse: AbuseSandbox
  before(async () => {
    abuse = await createAbuseSandbox('auto')
  })
  after(() => abuse.close())

  const attack = (body: string, load = '') =>
    attackFunction(`${PRELUDE}\n${load}\nexports.handler = async ({ name }) => { ${body} }`, {
      name: 'forger',
      timeout: 1,
    })

  for (const [name, body] of Object.entries(refused)) {
    test(name, async () => {
      const result = await abuse.call(attack(body), { name: 'first' })
      assert.notEqual(result.status, 0)
      assert.ok(BAD.includes(result.error!.code), JSON.stringify(result.error))
      await abuse.servesOthers()
    })
  }

  test('a forged answer is the function’s own: it lies about nothing else', async () => {
    const fn = attack(`send(output({ forged: name })); return {}`)
    for (const name of ['first', 'second']) {
      assert.deepEqual(outputOf(await abuse.call(fn, { name })), { forged: name })
    }
    await abuse.servesOthers()
  })

  test('of two answers the first counts, and the second reaches no later request', async () => {
    const fn = attack(
      `send(Buffer.concat([output({ name, number: 1 }), output({ name, number: 2 })])); await wait(1e9)`,
    )
    for (const name of ['first', 'second', 'third']) {
      assert.deepEqual(outputOf(await abuse.call(fn, { name })), { name, number: 1 })
    }
    await abuse.servesOthers()
  })

  test('an answer ahead of the request answers nothing', async () => {
    const fn = attack(`return { name }`, `try { send(output({ early: true })) } catch {}`)
    for (const name of ['first', 'second']) {
      const result = await abuse.call(fn, { name })
      assert.notDeepEqual(outputOf(result), { early: true })
    }
    await abuse.servesOthers()
  })

  test('an answer ahead of the request, behind a ready mark of its own, answers nothing', async () => {
    const fn = attack(
      `return { name }`,
      `try { send(Buffer.concat([frame(3, '', ''), output({ early: true })])) } catch {}`,
    )
    for (const name of ['first', 'second']) {
      const result = await abuse.call(fn, { name })
      assert.notDeepEqual(outputOf(result), { early: true })
    }
    await abuse.servesOthers()
  })

  for (const [name, head] of Object.entries({
    'no JSON': '{',
    'a status that is none': '{"httpStatus":"200","headers":[]}',
    'an interim status': '{"httpStatus":100,"headers":[]}',
    'a status beyond HTTP’s': '{"httpStatus":600,"headers":[]}',
    'a line break in a header': '{"httpStatus":200,"headers":[["a","b\\\\r\\\\nset-cookie: x=1"]]}',
    'a header name with a space': '{"httpStatus":200,"headers":[["a b","c"]]}',
    'headers that are no list': '{"httpStatus":200,"headers":{"a":"b"}}',
  })) {
    test(`an HTTP answer with ${name} is malformed`, async () => {
      const fn = attack(`send(frame(5, '${head}', '')); await wait(1e9)`)
      const request = {
        method: 'GET',
        host: 'a',
        sourceAddress: '',
        path: '/',
        query: '',
        headers: [],
        body: Buffer.alloc(0),
      }
      const input = { kind: 'http' as const, request }
      const result = await abuse.sandbox.execute(fn, { input, requestHash: '0x00', clockMs: 0 })
      assert.deepEqual([result.status, result.error?.code], [1, 'PH_RUN_BAD_RESPONSE'])
      assert.equal(result.response?.httpStatus, 500)
      await abuse.servesOthers()
    })
  }
})
