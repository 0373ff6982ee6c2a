/*
 * Stub domain: how scarce memory is on the host, for the policy.
 *
 * Copyright (c) 2026 The Stubdomain authors
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "hw/stubdomain/stubdomain.h"

/* Linux's pressure stall information; not every kernel has it. */
#define PRESSURE_FILE "/proc/pressure/memory"

/* Percent of the last 10 seconds, rounded down; 0 without such a line. */
static uint32_t percent_of(const char *text, const char *line)
{
    g_autofree char *begin = g_strdup_printf("%s avg10=", line);
    const char *at = strstr(text, begin), *end;
    unsigned int percent;

    if (!at || qemu_strtoui(at + strlen(begin), &end, 10, &percent)) {
        return 0;
    }
    return MIN(percent, 100);
}

void stubdomain_read_pressure(StubdomainPCI *dev)
{
    struct sd_pressure pressure = { };
    g_autofree char *text = NULL;

    if (dev->watch_pressure &&
        g_file_get_contents(PRESSURE_FILE, &text, NULL, NULL)) {
        pressure.some_percent = percent_of(text, "some");
        pressure.full_percent = percent_of(text, "full");
    }
    sd_set_pressure(dev->core, &pressure, stubdomain_now());
}
