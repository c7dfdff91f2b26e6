'use strict'
const { logGroupName, logStreamName, REGION } = require('./environment.cjs')

/**
 * The second argument of a Lambda handler. `done`, `fail`, `succeed` and `callbackWaitsForEmptyEventLoop` are the
 * completion's.
 */
function createContext(config, { requestId, deadlineMs }, completion) {
  return {
    get callbackWaitsForEmptyEventLoop() {
      return completion.waitsForEmptyLoop
    },
    set callbackWaitsForEmptyEventLoop(value) {
      completion.waitsForEmptyLoop = value
    },
    succeed: (result) => completion.settle(null, result),
    fail: (error) => completion.settle(error ?? 'handled'),
    done: (error, result) => completion.settle(error, result),
    functionVersion: '$LATEST',
    functionName: config.functionName,
    memoryLimitInMB: String(config.memorySize),
    logGroupName: logGroupName(config),
    logStreamName: logStreamName(config),
    clientContext: undefined,
    identity: undefined,
    invokedFunctionArn: `arn:aws:lambda:${config.region ?? REGION}:${config.owner}:function:${config.project}-${config.functionName}`,
    awsRequestId: requestId,
    getRemainingTimeInMillis: () => Math.max(0, deadlineMs - Date.now()),
  }
}

module.exports = { createContext }
