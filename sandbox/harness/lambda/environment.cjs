'use strict'
// The environment variables that handlers and libraries written for AWS Lambda expect. There are no AWS credentials and
// no tracing variables: nothing here gives access to anything.

const REGION = 'us-east-1' // libraries build host names of it, so it has the form of one that exists

/** What a function may not choose itself; PATH, NODE_PATH, LANG and TZ it may. */
function reserved(config) {
  const { functionName, handler, memorySize } = config
  const region = config.region ?? REGION
  return {
    _HANDLER: handler,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: functionName,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memorySize),
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: logGroupName(config),
    AWS_LAMBDA_LOG_STREAM_NAME: logStreamName(config),
    AWS_LAMBDA_RUNTIME_API: '127.0.0.1:9001',
    LAMBDA_TASK_ROOT: '/var/task',
    LAMBDA_RUNTIME_DIR: '/var/runtime',
    PEERHOST_OWNER: config.owner,
    PEERHOST_PROJECT: config.project,
    PEERHOST_FUNCTION: functionName,
    PEERHOST_VERSION: String(config.version),
  }
}

const defaults = {
  PATH: '/usr/local/bin:/usr/bin:/bin:/opt/bin',
  NODE_PATH: '/opt/nodejs/node24/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules',
  LANG: 'en_US.UTF-8',
  TZ: 'UTC',
}

const logGroupName = (config) => config.logGroupName ?? `/aws/lambda/${config.functionName}`
const logStreamName = (config) => config.logStreamName ?? `${config.project}/[$LATEST]${config.version}`

/** @returns {Record<string, string>} all of the environment, values as strings */
function environmentOf(config) {
  /** @type {Record<string, string>} */
  const variables = { ...defaults }
  for (const [name, value] of Object.entries(config.environment ?? {})) {
    if (value !== null && value !== undefined) variables[name] = String(value)
  }
  // Lambda's own way to write the default.
  if (variables.TZ === ':UTC' || config.verification !== 'none') variables.TZ = 'UTC'
  if (config.verification !== 'none') variables.LANG = defaults.LANG
  return Object.assign(variables, reserved(config))
}

/** Gives the process exactly this environment: nothing of the machine's own is left. */
function installEnvironment(config) {
  const variables = environmentOf(config)
  for (const name of Object.keys(process.env)) if (!Object.hasOwn(variables, name)) delete process.env[name]
  for (const name of Object.keys(variables)) process.env[name] = variables[name]
}

module.exports = { environmentOf, installEnvironment, logGroupName, logStreamName, REGION }
