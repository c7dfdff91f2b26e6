import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answer, complete, run } from './testing/run.ts'

const streaming = (body: string) => `const { pipeline } = require('node:stream/promises')
const { Readable } = require('node:stream')
exports.handler = awslambda.streamifyResponse(async (event, stream, context) => { ${body} })`

const pause = 'await new Promise((done) => setTimeout(done, 5));'
const octets: [string, string] = ['content-type', 'application/octet-stream']

/** Calls in order, chunks as text. */
const calls = (answers: Answer[]) =>
  answers
    .filter(({ call }) => call !== 'returned')
    .map((answer) => (answer.call === 'chunk' ? Buffer.from(answer.value, 'base64').toString() : answer.call))
const headOf = (answers: Answer[]) => answers.find((answer) => answer.call === 'head')?.value

test('a stream with status, headers and cookies', async () => {
  const { answers } = await run(
    streaming(`
      stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { 'Content-Type': 'text/html', 'x-n': 1 }, cookies: ['a=1', 'b=2'] })
      stream.write('one'); ${pause} stream.write('two'); stream.end()`),
  )
  assert.deepEqual(calls(answers), ['head', 'one', 'two', 'end'])
  assert.deepEqual(headOf(answers), {
    httpStatus: 201,
    headers: [
      ['content-type', 'text/html'],
      ['x-n', '1'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ],
  })
})

test('a raw stream is 200 and bytes, or of the type that it is given', async () => {
  const raw = await run(streaming(`stream.end('x')`))
  assert.deepEqual(calls(raw.answers), ['head', 'x', 'end'])
  assert.deepEqual(headOf(raw.answers), { httpStatus: 200, headers: [octets] })
  const typed = await run(streaming(`stream.setContentType('text/plain'); stream.end('x')`))
  assert.deepEqual(headOf(typed.answers)?.headers, [['content-type', 'text/plain']])
})

test('a prelude that the handler writes itself, in pieces', async () => {
  const { answers } = await run(
    streaming(`
      stream.setContentType('application/vnd.awslambda.http-integration-response')
      stream.write('{"statusCode":2'); stream.write('02}' + '\\0'.repeat(5)); stream.write('\\0\\0\\0body'); stream.end()`),
  )
  assert.deepEqual(calls(answers), ['head', 'body', 'end'])
  assert.deepEqual(headOf(answers), { httpStatus: 202, headers: [octets] })
})

test('an empty stream', async () => {
  const { answers } = await run(streaming(`awslambda.HttpResponseStream.from(stream, { statusCode: 204 }).end()`))
  assert.deepEqual(calls(answers), ['head', 'end'])
  assert.deepEqual(headOf(answers), { httpStatus: 204, headers: [] })
  assert.deepEqual(calls((await run(streaming('stream.end()'))).answers), ['head', 'end'])
})

test('a pipeline into the stream', async () => {
  const { answers } = await run(streaming(`await pipeline(Readable.from(['a', 'b']), stream)`))
  assert.deepEqual(calls(answers), ['head', 'a', 'b', 'end'])
})

test('the answer ends when the handler and its stream have', async () => {
  const { answers, stdout } = await run(streaming(`stream.end('x'); ${pause} console.log('still running')`))
  assert.deepEqual(calls(answers), ['head', 'x', 'end'])
  assert.match(stdout, /still running/)
  const late = await run(streaming(`setTimeout(() => stream.end('late'), 5)`))
  assert.deepEqual(calls(late.answers), ['head', 'late', 'end'])
})

test('failures of streaming handlers', async (t) => {
  const cases: [name: string, body: string, expected: string[], type: string][] = [
    [
      'before anything is written',
      `awslambda.HttpResponseStream.from(stream, { statusCode: 200 }); throw new TypeError('x')`,
      ['failed'],
      'TypeError',
    ],
    ['in the middle', `stream.write('a'); ${pause} throw new TypeError('x')`, ['head', 'a', 'failed'], 'TypeError'],
    ['a stream that never ends', `stream.write('a')`, ['head', 'a', 'failed'], 'Runtime.NodeJsExit'],
    [
      'a destroyed stream',
      `stream.destroy(new RangeError('x')); await new Promise(() => {})`,
      ['failed'],
      'RangeError',
    ],
    [
      'headers that split the answer',
      `awslambda.HttpResponseStream.from(stream, { headers: { x: 'a\\r\\nb' } }).end('x')`,
      ['failed'],
      'Runtime.MalformedResponse',
    ],
    [
      'a prelude that is no JSON',
      `stream.setContentType('application/vnd.awslambda.http-integration-response'); stream.end('x' + '\\0'.repeat(8))`,
      ['failed'],
      'Runtime.MalformedResponse',
    ],
    [
      'a prelude without an end',
      `stream.setContentType('application/vnd.awslambda.http-integration-response'); stream.end('{}')`,
      ['failed'],
      'Runtime.MalformedResponse',
    ],
  ]
  for (const [name, body, expected, type] of cases) {
    await t.test(name, async () => {
      const { answers } = await run(streaming(body))
      assert.deepEqual(calls(answers), expected)
      assert.equal(answers.find((answer) => answer.call === 'failed')?.value.errorType, type)
    })
  }
})

test('a streaming handler must be async', async () => {
  const answer = await complete('exports.handler = awslambda.streamifyResponse(() => {})')
  assert.equal(answer.call === 'failed' && answer.value.errorType, 'Runtime.InvalidStreamingOperation')
})

test('for a raw event the stream’s bytes are the output', async () => {
  const answer = await complete(streaming(`stream.write(JSON.stringify(event)); stream.end()`), {
    kind: 'event',
    body: '{"a":1}',
  })
  assert.deepEqual(answer, { call: 'output', value: '{"a":1}' })
})
