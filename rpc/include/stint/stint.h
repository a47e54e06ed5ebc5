/* stint/stint.h - all of Stint. */
#ifndef STINT_STINT_H
#define STINT_STINT_H

#include <stint/budget.h>
#include <stint/channel.h>
#include <stint/criticality.h>
#include <stint/ctx.h>
#include <stint/group.h>
#include <stint/handler.h>
#include <stint/histogram.h>
#include <stint/interceptor.h>
#include <stint/key.h>
#include <stint/ledger.h>
#include <stint/log.h>
#include <stint/macros.h>
#include <stint/metadata.h>
#include <stint/plan.h>
#include <stint/request.h>
#include <stint/server.h>
#include <stint/service.h>
#include <stint/status.h>
#include <stint/time.h>
#include <stint/version.h>

#endif
