'use strict'
// The AWS Lambda programming model inside the jail: environment and context, events, the ways to complete, answers.
// What it uses of the platform it takes at load, before any bundle: a bundle that replaces built-ins harms only its own
// execution, and what it can make this code answer the worker refuses or delivers as that function's answer.
const { installEnvironment } = require('./environment.cjs')
const { resolveHandler } = require('./resolve-handler.cjs')
const { createContext } = require('./context.cjs')
const { Completion, interceptExit } = require('./completion.cjs')
const { createEventV1 } = require('./event-v1.cjs')
const { createEventV2 } = require('./event-v2.cjs')
const { encodeOutput, encodeResponse } = require('./lambda-response.cjs')
const { describeError, RuntimeError } = require('./errors.cjs')

const { parse } = JSON

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

function answer(invocation, respond, result) {
  if (invocation.kind === 'event') respond.output(encodeOutput(result))
  else respond.whole(encodeResponse(result, invocation.route))
}

/** Promise, callback or context.done. What a function returns without being a promise is ignored, as in Lambda. */
function runLambda(config, handler, invocation, completion) {
  const event = createEvent(config, invocation)
  const context = createContext(config, invocation, completion)
  const { call } = handler
  completion.follow(call(event, context, (error, result) => completion.callback(error, result)))
}

function invoke(config, handler, invocation, respond) {
  const completion = new Completion(
    (result) => answer(invocation, respond, result),
    (error) => respond.failed(describeError(error)),
  )
  completion.begin()
  try {
    runLambda(config, handler, invocation, completion)
  } catch (error) {
    completion.settle(error ?? new Error(String(error)))
  }
  return completion.done
}

/** @returns {Runtime} without any effect on the process */
function runtimeOf(config) {
  return {
    resolve: (exports) => resolveHandler(exports, config.handler),
    invoke: (handler, invocation, respond) => invoke(config, handler, invocation, respond),
  }
}

function createRuntime(config) {
  installEnvironment(config)
  interceptExit()
  return runtimeOf(config)
}

module.exports = { createRuntime }
