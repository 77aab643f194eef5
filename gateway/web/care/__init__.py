"""A transition's three records (CarePlan, ServiceRequests, CareTeam) for people: in words, traced to messages, on a terminal and on paper."""
