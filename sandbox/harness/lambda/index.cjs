'use strict'
// The AWS Lambda programming model inside the jail: environment and context, events, the ways to complete, answers.
// What it uses of the platform it takes at load, before any bundle: a bundle that replaces built-ins harms only its own
// execution, and what it can make this code answer the worker refuses or delivers as that function's answer.
const { installEnvironment } = require('./environment.cjs')
const { installConsole, logFailure, rehearseConsole, setLogRequest } = require('./console.cjs')
const streaming = require('./streaming.cjs')
const { resolveHandler } = require('./resolve-handler.cjs')
const { createContext } = require('./context.cjs')
const { Completion, interceptExit } = require('./completion.cjs')
const { createEventV1 } = require('./event-v1.cjs')
const { createEventV2 } = require('./event-v2.cjs')
const { encodeOutput, encodeResponse } = require('./lambda-response.cjs')
const { runRequestForm, runFetchForm } = require('./short-forms.cjs')
const { describeError, RuntimeError } = require('./errors.cjs')

const { parse } = JSON

/**
 * @typedef {object} Runtime
 * @property {(exports: unknown) => import('./resolve-handler.cjs').Handler} resolve finds the handler; throws a RuntimeError
 * @property {(handler: object, invocation: object, respond: object) => Promise<void>} invoke runs it once; never rejects
 */

function parseEvent(body) {
  if (body.length === 0) return {}
  try {
    return parse(body.toString('utf8'))
  } catch (error) {
    throw new RuntimeError('Runtime.UnmarshalError', `The event is not valid JSON: ${error.message}`)
  }
}

function createEvent(config, invocation) {
  if (invocation.kind === 'event') return parseEvent(invocation.body)
  return invocation.route?.payload === '1.0' ? createEventV1(config, invocation) : createEventV2(config, invocation)
}

/** Promise, callback or context.done. What a function returns without being a promise is ignored, as in Lambda. */
function runLambda({ config, handler, invocation, context, completion, respond }) {
  const { call } = handler
  completion.onResult = (result) => {
    if (invocation.kind === 'event') respond.output(encodeOutput(result))
    else respond.whole(encodeResponse(result, invocation.route))
  }
  const event = createEvent(config, invocation)
  completion.follow(call(event, context, (error, result) => completion.callback(error, result)))
}

function runStreamingLambda({ config, handler, invocation, context, completion, respond }) {
  const { call } = handler
  const sink = invocation.kind === 'event' ? new streaming.OutputSink(respond) : new streaming.HttpSink(respond)
  completion.onResult = () => sink.complete()
  const event = createEvent(config, invocation)
  streaming.runStreaming((stream) => call(event, stream, context), sink, completion)
}

const forms = { lambda: runLambda, streaming: runStreamingLambda, request: runRequestForm, fetch: runFetchForm }

function fail(respond, error) {
  const description = describeError(error)
  logFailure(description)
  respond.failed(description)
}

function invoke(config, handler, invocation, respond) {
  setLogRequest(invocation.requestId)
  const completion = new Completion((error) => fail(respond, error))
  const context = createContext(config, invocation, completion)
  completion.begin()
  try {
    forms[handler.form]({ config, handler, invocation, context, completion, respond })
  } catch (error) {
    completion.settle(error ?? new Error(String(error)))
  }
  return completion.done
}

/**
 * Prepares the process for a function: environment, standard streams, console, `awslambda`, process.exit. Before its bundle
 * is loaded; a second time for another configuration. `installPlatform` has been called.
 *
 * @param {object} config owner, project, functionName, version, handler, memorySize (MB), environment, verification ...
 * @returns {Runtime}
 */
function createRuntime(config) {
  installEnvironment(config)
  installConsole(config.writeLog)
  streaming.installStreaming()
  interceptExit()
  return {
    resolve: (exports) => resolveHandler(exports, config.handler),
    invoke: (handler, invocation, respond) => invoke(config, handler, invocation, respond),
  }
}

const rehearsed = {
  owner: '0x',
  project: 'p',
  functionName: 'f',
  version: 1,
  handler: 'f.handler',
  memorySize: 128,
  timeout: 1,
  environment: {},
  verification: 'none',
}
const rehearsedRequest = {
  method: 'POST',
  host: 'localhost',
  sourceAddress: '127.0.0.1',
  path: '/a/b',
  query: 'a=b%20c&d=e+f',
  headers: [
    ['content-type', 'application/json'],
    ['cookie', 'a=b'],
    ['user-agent', 'rehearsal'],
  ],
  body: Buffer.from('{"a":1}'),
}
const rehearsedRoutes = [
  { kind: 'httpApi', payload: '2.0', method: 'POST', path: '/a/{b}', pathParameters: { b: 'b' } },
  { kind: 'http', payload: '1.0', method: 'POST', path: '/a/{b}', pathParameters: { b: 'b' } },
  null,
]
const answerOf = (event) => ({ statusCode: 200, headers: { 'x-a': 1 }, body: JSON.stringify({ body: event.body }) })
const rehearsedExports = {
  async: async (event) => answerOf(event),
  callback: (event, context, callback) => {
    context.callbackWaitsForEmptyEventLoop = false
    callback(null, answerOf(event))
  },
  done: (event, context) => context.done(null, answerOf(event)),
  default: async (request) => ({ headers: { 'x-a': request.path }, body: await request.json() }),
  stream: streaming.streamifyResponse(async (_event, stream) => {
    const body = streaming.HttpResponseStream.from(stream, { statusCode: 200, headers: { 'x-a': 1 } })
    body.write('a')
    body.end('b')
  }),
  web: { fetch: async (request) => new Response(await request.text(), { headers: { 'x-a': 'b' } }) },
}

/**
 * Runs every common path of an invocation a few times before there is a bundle, so that children inherit it compiled and
 * with warm inline caches. Draws nothing random, and leaves the state that createRuntime leaves.
 */
async function rehearse(rounds = 4) {
  const ignore = () => {}
  const respond = { whole: ignore, head: ignore, chunk: ignore, end: ignore, output: ignore, failed: ignore }
  const invocation = { requestId: '0x', clockMs: 0, deadlineMs: 1 }
  for (const name of Object.keys(rehearsedExports)) {
    const runtime = createRuntime({ ...rehearsed, handler: `f.${name}` })
    const handler = runtime.resolve(rehearsedExports)
    for (let round = 0; round < rounds; round++) {
      for (const route of rehearsedRoutes) {
        await runtime.invoke(handler, { ...invocation, kind: 'http', request: rehearsedRequest, route }, respond)
      }
      await runtime.invoke(handler, { ...invocation, kind: 'event', body: rehearsedRequest.body }, respond)
    }
  }
  rehearseConsole(rounds)
}

module.exports = { createRuntime, rehearse }
