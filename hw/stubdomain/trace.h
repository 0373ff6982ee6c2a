#include "trace/trace-hw_stubdomain.h"
